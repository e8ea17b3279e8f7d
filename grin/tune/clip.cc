#include "grin/tune/clip.h"

#include <cmath>

#include "grin/model/parallel.h"

namespace grin {

double GradientNorm(std::span<const MaskedParameter> parameters) {
  double sum = 0;
  for (const MaskedParameter& parameter : parameters) {
    const float* gradient = parameter.gradient.const_data_ptr<float>();
    sum += SumOverPieces(parameter.gradient.numel(), [&](int64_t begin, int64_t end) {
      double piece = 0;
      for (int64_t i = begin; i < end; ++i) piece += double{gradient[i]} * gradient[i];
      return piece;
    });
  }
  return std::sqrt(sum);
}

double ClipGradients(std::span<MaskedParameter> parameters, double max_norm) {
  const double norm = GradientNorm(parameters);
  const double coefficient = max_norm / (norm + 1e-6);
  if (!std::isfinite(norm) || coefficient >= 1) return norm;
  for (MaskedParameter& parameter : parameters) {
    float* gradient = parameter.gradient.mutable_data_ptr<float>();
    ForEachPiece(parameter.gradient.numel(), [&](int64_t begin, int64_t end) {
      const auto factor = static_cast<float>(coefficient);
      for (int64_t i = begin; i < end; ++i) gradient[i] *= factor;
    });
  }
  return norm;
}

}  // namespace grin
