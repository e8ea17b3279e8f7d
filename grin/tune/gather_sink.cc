#include "grin/tune/gather_sink.h"

#include "grin/model/product.h"

namespace grin {

bool GatherSink::Samples(const MaskedParameter& parameter, const at::Tensor& grad_output,
                         const at::Tensor& input) const {
  if (!parameter.indices.defined() || product_ == ProductKind::kDense) return false;
  const at::ScalarType type = input.scalar_type();
  if (!input.is_cpu() || (type != at::kFloat && type != at::kBFloat16)) return false;
  const double density = static_cast<double>(parameter.indices.numel()) /
                         static_cast<double>(grad_output.size(1) * input.size(1));
  return product_ == ProductKind::kSampled || SampledProduct::Pays(density);
}

void GatherSink::AddProduct(const std::string& name, const at::Tensor& grad_output,
                            const at::Tensor& input) {
  MaskedParameter& parameter = *trainable_.Find(name);
  const int64_t out = grad_output.size(1), in = input.size(1);
  if (!parameter.indices.defined()) {
    at::Tensor gradient = parameter.gradient.view({out, in});
    return AddOuterProduct(gradient, grad_output, input);
  }
  if (Samples(parameter, grad_output, input)) return sampled_.Add(grad_output, input, parameter);
  GatherGradient(OuterProduct(grad_output, input), 1.0, parameter);
}

void GatherSink::AddRows(const std::string& name, const at::Tensor& tokens,
                         const at::Tensor& rows) {
  GatherRows(tokens, rows, *trainable_.Find(name));
}

void GatherSink::AddVector(const std::string& name, const at::Tensor& gradient) {
  GatherGradient(gradient.contiguous(), 1.0, *trainable_.Find(name));
}

}  // namespace grin
