#pragma once
// Collects the selected entries of weight gradients into compact fp32 buffers.

#include "grin/model/gradient_sink.h"
#include "grin/tune/trainable.h"

namespace grin {

class GatherSink : public GradientSink {
 public:
  // Adds to `trainable`'s gradients, which must be zeroed between steps.
  explicit GatherSink(Trainable& trainable) : trainable_(trainable) {}

  bool Wants(const std::string& name) const override { return trainable_.Find(name) != nullptr; }
  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override;
  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override;
  void AddVector(const std::string& name, const at::Tensor& gradient) override;

 private:
  Trainable& trainable_;
};

}  // namespace grin
