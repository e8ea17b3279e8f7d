#pragma once
// From values to positions on a drawing, and back to round numbers for the axis.

#include <string>
#include <vector>

namespace grin {

class Scale {
 public:
  // Values lo..hi onto positions from..to. Where lo and hi are equal, the domain is widened.
  static Scale Linear(double lo, double hi, double from, double to);
  // The same by logarithm; lo and hi above 0.
  static Scale Log(double lo, double hi, double from, double to);

  // Position of a value; values outside of the domain lie on its edge, and so does NaN (on lo's).
  double operator()(double value) const;

  // Round values inside of the domain, about `count` of them: multiples of 1, 2 or 5 times a power
  // of ten; for a logarithmic scale, powers of ten, and 2 and 5 times them in a short domain.
  std::vector<double> Ticks(int count) const;

  double lo() const { return lo_; }
  double hi() const { return hi_; }
  double from() const { return from_; }
  double to() const { return to_; }

 private:
  Scale(double lo, double hi, double from, double to, bool log)
      : lo_(lo), hi_(hi), from_(from), to_(to), log_(log) {}

  double lo_, hi_, from_, to_;
  bool log_;
};

}  // namespace grin
