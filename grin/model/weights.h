#pragma once
// The named tensors of a checkpoint, ready to compute with.

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "grin/io/checkpoint.h"

namespace grin {

// A weight under its checkpoint name. Copies share the tensor.
struct Parameter {
  std::string name;
  at::Tensor value;  // undefined where the architecture has no such weight

  bool defined() const { return value.defined(); }
};

// Those tensors that a model uses: what was asked for through Get. Buffers of older libraries and
// parts that do not belong to the decoder stay in the checkpoint.
class Weights {
 public:
  // Weights are given as `dtype` on `device`. Where the type is already right on the CPU the mapped
  // file itself is used and nothing is copied. Without a checkpoint they have shapes and no memory.
  Weights(std::shared_ptr<const Checkpoint> checkpoint, at::ScalarType dtype,
          at::Device device = at::kCPU)
      : checkpoint_(std::move(checkpoint)), dtype_(dtype), device_(device) {}

  // The weight of this name and shape. Error (bad input) when it is missing, or of another shape or
  // a type that is not floating point.
  Parameter Get(const std::string& name, at::IntArrayRef shape);

  // Whether the checkpoint has a tensor of this name.
  bool Has(const std::string& name) const { return checkpoint_->Find(name) != nullptr; }

  // Gives the weight memory of its own, for training. Every Parameter of the name sees it.
  void MakeWritable(const std::string& name);

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const std::shared_ptr<const Checkpoint>& shared_checkpoint() const { return checkpoint_; }
  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }
  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
  std::map<std::string, at::Tensor> tensors_;
};

// A stored tensor in its stored type, aliasing the checkpoint's bytes where they are aligned.
at::Tensor StoredTensor(const Checkpoint& checkpoint, const TensorInfo& info);

// The ATen type of a floating-point stored type; nothing for the others.
std::optional<at::ScalarType> FloatScalarType(DType dtype);

}  // namespace grin
