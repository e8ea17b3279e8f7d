#include "grin/model/rope.h"

#include <cmath>
#include <numbers>

#include "grin/model/record.h"

namespace grin {
namespace {

// Llama 3.1: long waves are stretched by the factor, short ones kept, those between interpolated.
double ScaleLlama3(double frequency, const RopeScaling& rope) {
  const auto context = static_cast<double>(rope.original_context);
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  if (wavelength < context / rope.high_frequency_factor) return frequency;
  if (wavelength > context / rope.low_frequency_factor) return frequency / rope.factor;
  const double smooth = (context / wavelength - rope.low_frequency_factor) /
                        (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const auto halves = x.to(at::kFloat).chunk(2, -1);
  return at::cat({halves[0] * cosine - halves[1] * sine, halves[1] * cosine + halves[0] * sine}, -1)
      .to(x.scalar_type());
}

}  // namespace

at::Tensor RopeFrequencies(const ModelConfig& config) {
  const int64_t pairs = config.head_dim / 2;
  at::Tensor frequencies = at::empty({pairs}, at::kFloat);
  for (int64_t i = 0; i < pairs; ++i) {
    // fp32 as in the reference, so that long positions agree.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    double frequency = 1.0f / std::pow(static_cast<float>(config.rope_theta), exponent);
    const RopeScaling& rope = config.rope_scaling;
    if (rope.kind == RopeScaling::Kind::kLinear) frequency /= rope.factor;
    if (rope.kind == RopeScaling::Kind::kLlama3) frequency = ScaleLlama3(frequency, rope);
    frequencies[i] = static_cast<float>(frequency);
  }
  return frequencies;
}

RopeTable MakeRopeTable(const at::Tensor& frequencies, const at::Tensor& positions) {
  const at::Tensor angles =
      positions.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);  // [T, head_dim / 2]
  return {angles.cos().unsqueeze(1), angles.sin().unsqueeze(1)};
}

at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = Rotate(x, table.cosine, table.sine);
  }
  return Record("rope", {x}, output, [table](const at::Tensor& gradient) {
    return std::vector{Rotate(gradient, table.cosine, -table.sine)};  // the inverse rotation
  });
}

}  // namespace grin
