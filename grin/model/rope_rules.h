#pragma once
// Rules by which rotary positions are stretched for contexts longer than the pre-training's, as
// functions of plain numbers: the decoder turns by them, and GGUF files are read and written by them.

#include <cmath>
#include <cstdint>
#include <numbers>

namespace grin {

// The frequency of pair `i` of `dimensions` rotary dimensions, before any rule.
inline double RopeFrequency(double theta, int64_t dimensions, int64_t i) {
  return std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dimensions));
}

// Llama 3.1: frequencies of long waves are divided by the factor, those of short waves are kept, and
// those between are interpolated.
struct Llama3Rope {
  double factor, low_frequency_factor, high_frequency_factor, original_context;

  // What the frequency is multiplied with: 1 / factor to 1.
  double Multiplier(double frequency) const {
    const double wavelength = 2.0 * std::numbers::pi / frequency;
    if (wavelength < original_context / high_frequency_factor) return 1.0;
    if (wavelength > original_context / low_frequency_factor) return 1.0 / factor;
    const double kept = (original_context / wavelength - low_frequency_factor) /
                        (high_frequency_factor - low_frequency_factor);
    return (1.0 - kept) / factor + kept;
  }
};

// YaRN (Peng et al. 2023): the temperature of attention over a context stretched by `factor`.
inline double YarnMagnitude(double factor, double scale = 1.0) {
  return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

}  // namespace grin
