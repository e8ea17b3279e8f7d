#pragma once
// The "llama3" rule of rotary positions: frequencies of long wave length are divided by `factor`,
// short ones are kept, with a smooth passage between.

#include <cmath>
#include <cstdint>
#include <numbers>

namespace grin {

struct Llama3Rope {
  double factor, low_freq_factor, high_freq_factor, original_context;

  double Divisor(double theta, int64_t dimensions, int64_t i) const {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / dimensions);
    const double wave_length = 2.0 * std::numbers::pi / frequency;
    if (wave_length < original_context / high_freq_factor) return 1.0;
    if (wave_length > original_context / low_freq_factor) return factor;
    const double smooth =
        (original_context / wave_length - low_freq_factor) / (high_freq_factor - low_freq_factor);
    return 1.0 / ((1.0 - smooth) / factor + smooth);
  }
};

}  // namespace grin
