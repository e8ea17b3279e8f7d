#include "grin/model/norm.h"

#include <ATen/core/grad_mode.h>

#include <tuple>

#include "grin/model/layers.h"
#include "grin/model/record.h"

namespace grin {
namespace {

// The weight with its offset, fp32 [d]; undefined where there is none.
at::Tensor Scale(const NormWeights& weights, double offset) {
  if (!weights.weight.defined()) return {};
  const at::Tensor scale = weights.weight.value.to(at::kFloat);
  return offset == 0.0 ? scale : scale + offset;
}

// Whether LibTorch has one kernel for all of it, which computes in fp32 and rounds once as well.
bool IsFusedOnCuda(const at::Tensor& x, const NormWeights& weights, const NormConfig& config) {
  return x.is_cuda() && weights.weight.defined() && config.offset == 0.0 &&
         weights.weight.value.scalar_type() == x.scalar_type();
}

at::Tensor FusedRmsNorm(const at::Tensor& x, const NormWeights& weights, const NormConfig& config,
                        GradientSink* sink) {
  const at::Tensor input = x.detach().contiguous();
  const Parameter weight = weights.weight;
  const int64_t width = x.size(-1);
  at::Tensor output, inverse_rms;  // [..., d], fp32 [..., 1]
  {
    at::NoGradGuard no_grad;
    std::tie(output, inverse_rms) =
        at::_fused_rms_norm(input, {width}, weight.value, config.epsilon);
  }
  return RecordBackward("fused_rms_norm", {x}, output, [=](const at::Tensor& gradient) {
    if (Wants(sink, weight)) {  // in fp32, where the kernel would round it
      const at::Tensor normed = input.to(at::kFloat) * inverse_rms;
      sink->AddVector(weight.name, (gradient * normed).reshape({-1, width}).sum(0));
    }
    const auto [by_input, by_weight] = at::_fused_rms_norm_backward(
        gradient.contiguous(), input, {width}, inverse_rms, weight.value, {true, false});
    return std::vector{by_input};
  });
}

at::Tensor RmsNorm(const at::Tensor& x, const NormWeights& weights, const NormConfig& config,
                   GradientSink* sink) {
  if (IsFusedOnCuda(x, weights, config)) return FusedRmsNorm(x, weights, config, sink);
  at::Tensor output, inverse_rms;  // [..., d], fp32 [..., 1]
  const at::Tensor scale = Scale(weights, config.offset);
  {
    at::NoGradGuard no_grad;
    const at::Tensor wide = x.to(at::kFloat);
    inverse_rms = wide.square().mean(-1, true).add_(config.epsilon).rsqrt_();
    const at::Tensor normed = wide * inverse_rms;
    output = (scale.defined() ? normed * scale : normed).to(x.scalar_type());
  }
  const at::Tensor input = x.detach();
  const Parameter weight = weights.weight;
  return RecordBackward("rms_norm", {x}, output, [=](const at::Tensor& gradient) {
    const at::Tensor normed = input.to(at::kFloat) * inverse_rms;  // [..., d]
    const at::Tensor wide = gradient.to(at::kFloat);
    if (Wants(sink, weight)) {
      sink->AddVector(weight.name, (wide * normed).reshape({-1, normed.size(-1)}).sum(0));
    }
    const at::Tensor scaled = scale.defined() ? wide * scale : wide;  // d loss / d normed
    const at::Tensor along = (scaled * normed).mean(-1, true);
    return std::vector{scaled.sub(normed.mul(along)).mul_(inverse_rms).to(gradient.scalar_type())};
  });
}

at::Tensor LayerNorm(const at::Tensor& x, const NormWeights& weights, const NormConfig& config,
                     GradientSink* sink) {
  const auto optional = [](const at::Tensor& t) {
    return t.defined() ? std::optional(t) : std::nullopt;
  };
  const at::Tensor scale = Scale(weights, 0.0);
  const at::Tensor shift =
      weights.bias.defined() ? weights.bias.value.to(at::kFloat) : at::Tensor();
  const int64_t width = x.size(-1);
  at::Tensor output, mean, inverse_std;
  {
    at::NoGradGuard no_grad;
    const auto [wide, m, s] = at::native_layer_norm(
        x.to(at::kFloat).contiguous(), {width}, optional(scale), optional(shift), config.epsilon);
    output = wide.to(x.scalar_type());
    mean = m;
    inverse_std = s;
  }
  const at::Tensor input = x.detach();
  return RecordBackward("layer_norm", {x}, output, [=](const at::Tensor& gradient) {
    const bool wants_weight = Wants(sink, weights.weight), wants_bias = Wants(sink, weights.bias);
    const auto [input_gradient, weight_gradient, bias_gradient] = at::native_layer_norm_backward(
        gradient.to(at::kFloat).contiguous(), input.to(at::kFloat).contiguous(), {width}, mean,
        inverse_std, optional(scale), optional(shift), {true, wants_weight, wants_bias});
    if (wants_weight) sink->AddVector(weights.weight.name, weight_gradient);
    if (wants_bias) sink->AddVector(weights.bias.name, bias_gradient);
    return std::vector{input_gradient.to(gradient.scalar_type())};
  });
}

}  // namespace

at::Tensor Norm(const at::Tensor& x, const NormWeights& weights, const NormConfig& config,
                GradientSink* sink) {
  if (!weights.present) return x;
  return config.kind == NormConfig::Kind::kRms ? RmsNorm(x, weights, config, sink)
                                               : LayerNorm(x, weights, config, sink);
}

}  // namespace grin
