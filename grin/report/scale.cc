#include "grin/report/scale.h"

#include <algorithm>
#include <cmath>

namespace grin {

Scale Scale::Linear(double lo, double hi, double from, double to) {
  if (!(hi > lo)) {
    const double middle = lo;
    const double half = std::max(std::abs(middle) * 0.1, 0.5);
    lo = middle - half;
    hi = middle + half;
  }
  return Scale(lo, hi, from, to, false);
}

Scale Scale::Log(double lo, double hi, double from, double to) {
  if (!(hi > lo)) {
    hi = lo * 2;
    lo = lo / 2;
  }
  return Scale(lo, hi, from, to, true);
}

double Scale::operator()(double value) const {
  if (!(value > lo_)) return from_;
  if (value >= hi_) return to_;
  const double share =
      log_ ? std::log(value / lo_) / std::log(hi_ / lo_) : (value - lo_) / (hi_ - lo_);
  return from_ + share * (to_ - from_);
}

std::vector<double> Scale::Ticks(int count) const {
  std::vector<double> ticks;
  if (log_) {
    const double decades = std::log10(hi_ / lo_);
    const int every = std::max(1, static_cast<int>(std::ceil(decades / count)));
    const bool fine = decades < count / 2.0;
    const int first = static_cast<int>(std::floor(std::log10(lo_)));
    const int last = static_cast<int>(std::ceil(std::log10(hi_)));
    for (int power = first; power <= last; ++power) {
      if (power % every != 0) continue;
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double value = digit * std::pow(10.0, power);
        if ((digit == 1 || fine) && value >= lo_ * (1 - 1e-9) && value <= hi_ * (1 + 1e-9)) {
          ticks.push_back(value);
        }
      }
    }
    return ticks;
  }
  const double rough = (hi_ - lo_) / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= rough * (1 - 1e-9)) {
      step = digit * power;
      break;
    }
  }
  const double first = std::ceil(lo_ / step - 1e-9);
  for (double i = first; i * step <= hi_ + step * 1e-9; ++i) {
    ticks.push_back(i == 0 ? 0.0 : i * step);
  }
  return ticks;
}

}  // namespace grin
