#pragma once
// Collects the selected entries of weight gradients into compact fp32 buffers.

#include "grin/model/gradient_sink.h"
#include "grin/tune/sampled_product.h"
#include "grin/tune/trainable.h"

namespace grin {

// How the selected entries of a matrix are computed.
enum class ProductKind {
  kFastest,  // by the mask's density, see SampledProduct::Pays
  kDense,    // the whole product of one matrix at a time, of which the selected entries are taken
  kSampled,  // only the selected entries
};

class GatherSink : public GradientSink {
 public:
  // Adds to `trainable`'s gradients, which must be zeroed between steps.
  explicit GatherSink(Trainable& trainable, ProductKind product = ProductKind::kFastest)
      : trainable_(trainable), product_(product) {}

  bool Wants(const std::string& name) const override { return trainable_.Find(name) != nullptr; }
  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override;
  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override;
  void AddVector(const std::string& name, const at::Tensor& gradient) override;

 private:
  bool Samples(const MaskedParameter& parameter, const at::Tensor& grad_output,
               const at::Tensor& input) const;

  Trainable& trainable_;
  ProductKind product_;
  SampledProduct sampled_;
};

}  // namespace grin
