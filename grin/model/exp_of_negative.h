#pragma once
// An exponential that compiles to vector instructions inside a loop.

#include <bit>
#include <cstdint>
#include <numbers>

#include "grin/base/instructions.h"

namespace grin {

// exp(x) of x <= 0, within two units of the last place; of x below -87 that of -87. A NaN stays.
// exp(x) = 2^n exp(r) with n = round(x / ln 2), |r| <= ln 2 / 2, and seven terms of exp(r)'s
// series.
GRIN_INLINE inline float ExpOfNegative(float x) {
  x = x < -87.0f ? -87.0f : x;
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: a sum with it has no bits behind the point
  constexpr float kLn2High = 0.693145751953125f, kLn2Low = 1.42860677e-6f;
  const float shifted = x * std::numbers::log2e_v<float> + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float series = 1.0f / 5040;
  series = series * r + 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 1.0f / 2;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) << 23) + (127u << 23);
  return series * std::bit_cast<float>(exponent);
}

}  // namespace grin
