#pragma once
// The temperature of attention that belongs to yarn's stretched rotary positions.

#include <cmath>

namespace grin {

// Peng et al. 2023: the temperature over a context stretched by `factor`.
inline double YarnMagnitude(double factor, double scale = 1.0) {
  return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

}  // namespace grin
