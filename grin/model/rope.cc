#include "grin/model/rope.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "grin/model/record.h"
#include "grin/model/rope_rules.h"

namespace grin {
namespace {

// YaRN (Peng et al. 2023): pairs that turn more than beta_fast times within the original context
// are kept, those that turn less than beta_slow times are stretched, with a linear passage between.
class YarnRange {
 public:
  explicit YarnRange(const RopeConfig& rope) : rope_(rope) {
    low_ = Pair(rope.beta_fast);
    high_ = Pair(rope.beta_slow);
    if (rope.truncate) {
      low_ = std::floor(low_);
      high_ = std::ceil(high_);
    }
    low_ = std::max(low_, 0.0);
    high_ = std::min(high_, static_cast<double>(rope.dimensions - 1));
    if (low_ == high_) high_ += 0.001;
  }

  double Scale(int64_t pair, double frequency) const {
    const double stretched =
        std::clamp((static_cast<double>(pair) - low_) / (high_ - low_), 0.0, 1.0);
    return frequency * (1.0 - stretched) + frequency / rope_.factor * stretched;
  }

 private:
  // The pair that turns this often within the original context; not a whole number.
  double Pair(double turns) const {
    const auto context = static_cast<double>(rope_.original_context);
    return static_cast<double>(rope_.dimensions) *
           std::log(context / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(rope_.theta));
  }

  const RopeConfig& rope_;
  double low_, high_;
};

// The plain frequencies changed by scale(pair, frequency): fp32 [pairs].
at::Tensor Frequencies(const RopeConfig& rope,
                       const std::function<double(int64_t, double)>& scale) {
  const int64_t pairs = (rope.dimensions + 1) / 2;
  at::Tensor frequencies = at::empty({pairs}, at::kFloat);
  for (int64_t i = 0; i < pairs; ++i) {
    // fp32 as in the reference, so that long positions agree.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rope.dimensions);
    const float plain = 1.0f / std::pow(static_cast<float>(rope.theta), exponent);
    frequencies[i] = static_cast<float>(scale(i, plain));
  }
  return frequencies;
}

// Rotate by few operators, each of which is a kernel to start: they widen narrow numbers themselves.
at::Tensor RotateOnDevice(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const int64_t pairs = cosine.size(-1), rest = x.size(-1) - 2 * pairs;
  const at::Tensor turned = at::empty(x.sizes(), x.options());
  const at::Tensor first = x.narrow(-1, 0, pairs), second = x.narrow(-1, pairs, pairs);
  at::Tensor first_turned = turned.narrow(-1, 0, pairs);
  at::Tensor second_turned = turned.narrow(-1, pairs, pairs);
  at::addcmul_out(first_turned, first * cosine, second, sine, -1);
  at::addcmul_out(second_turned, second * cosine, first, sine, 1);
  if (rest > 0) turned.narrow(-1, 2 * pairs, rest).copy_(x.narrow(-1, 2 * pairs, rest));
  return turned;
}

at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  if (!x.is_cpu()) return RotateOnDevice(x, cosine, sine);
  const int64_t pairs = cosine.size(-1), rest = x.size(-1) - 2 * pairs;
  const at::Tensor wide = x.narrow(-1, 0, 2 * pairs).to(at::kFloat);
  const at::Tensor first = wide.narrow(-1, 0, pairs), second = wide.narrow(-1, pairs, pairs);
  const at::Tensor turned =
      at::cat({first * cosine - second * sine, second * cosine + first * sine}, -1)
          .to(x.scalar_type());
  return rest == 0 ? turned : at::cat({turned, x.narrow(-1, 2 * pairs, rest)}, -1);
}

}  // namespace

Rope MakeRope(const RopeConfig& config, at::Device device) {
  const auto by = [&](const std::function<double(int64_t, double)>& scale) {
    return Frequencies(config, scale).to(device);
  };
  Rope rope{.magnitude = config.magnitude};
  switch (config.kind) {
    case RopeConfig::Kind::kPlain:
      rope.frequencies = by([](int64_t, double frequency) { return frequency; });
      break;
    case RopeConfig::Kind::kLinear:
      rope.frequencies = by([&](int64_t, double frequency) { return frequency / config.factor; });
      break;
    case RopeConfig::Kind::kLlama3: {
      const Llama3Rope rule{config.factor, config.low_frequency_factor,
                            config.high_frequency_factor,
                            static_cast<double>(config.original_context)};
      rope.frequencies = by([&](int64_t, double f) { return f * rule.Multiplier(f); });
      break;
    }
    case RopeConfig::Kind::kYarn: {
      const YarnRange range(config);
      rope.frequencies = by([&](int64_t pair, double f) { return range.Scale(pair, f); });
      break;
    }
    case RopeConfig::Kind::kLongRope:
      rope.frequencies = by([&](int64_t pair, double f) { return f / config.short_factors[pair]; });
      rope.long_frequencies =
          by([&](int64_t pair, double f) { return f / config.long_factors[pair]; });
      rope.short_limit = config.original_context;
      break;
  }
  return rope;
}

RopeTable MakeRopeTable(const Rope& rope, const at::Tensor& positions, const at::Tensor& lengths) {
  at::Tensor frequencies = rope.frequencies.unsqueeze(0);  // [1, pairs] or [T, pairs]
  if (rope.long_frequencies.defined()) {
    frequencies = at::where(lengths.gt(rope.short_limit).unsqueeze(1),
                            rope.long_frequencies.unsqueeze(0), frequencies);
  }
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies;  // [T, pairs]
  return {angles.cos().mul_(rope.magnitude).unsqueeze(1),
          angles.sin().mul_(rope.magnitude).unsqueeze(1)};
}

at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = Rotate(x, table.cosine, table.sine);
  }
  return RecordBackward("rope", {x}, output, [table](const at::Tensor& gradient) {
    return std::vector{Rotate(gradient, table.cosine, -table.sine)};  // the transposed rotation
  });
}

}  // namespace grin
