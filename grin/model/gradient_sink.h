#pragma once
// Where weight gradients go. Layers hand over the factors of a gradient instead of leaving a dense
// tensor in .grad, so that a sink decides what is computed and kept: sums for the influence pass,
// only the selected entries for tuning.

#include <ATen/ATen.h>

#include <string>

namespace grin {

class GradientSink {
 public:
  virtual ~GradientSink() = default;

  // Whether the gradient of this weight is needed at all.
  virtual bool Wants(const std::string& name) const = 0;

  // The gradient of a matrix [out, in] grows by grad_output^T [out, T] times input [T, in]. For a
  // matrix that is stored [in, out] the two come in each other's place, so that the product has the
  // stored shape. A matrix meets one call per pass, the head one per chunk.
  virtual void AddProduct(const std::string& name, const at::Tensor& grad_output,
                          const at::Tensor& input) = 0;

  // The gradient of an embedding [V, d] grows by rows [T, d] at the rows tokens [T].
  virtual void AddRows(const std::string& name, const at::Tensor& tokens,
                       const at::Tensor& rows) = 0;

  // The gradient of a vector (norm, bias) grows by this much.
  virtual void AddVector(const std::string& name, const at::Tensor& gradient) = 0;
};

}  // namespace grin
