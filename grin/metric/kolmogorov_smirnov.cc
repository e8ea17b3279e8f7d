#include "grin/metric/kolmogorov_smirnov.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numbers>
#include <numeric>
#include <vector>

#include "grin/base/error.h"

namespace grin {
namespace {

using std::numbers::pi;

// log(k!) less Stirling's formula: the error that the formula makes.
double StirlingError(int64_t k) {
  const auto x = static_cast<double>(k);
  if (k < 16) return std::lgamma(x + 1) - (x + 0.5) * std::log(x) + x - 0.5 * std::log(2 * pi);
  const double square = x * x;
  return (1.0 / 12 -
          (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) /
              square) /
         x;
}

// P(D_n^+ >= d), one-sided and exact (Birnbaum and Tingey 1951): the sum over j of
//   binomial(n, j) d (d + j/n)^(j-1) (1 - d - j/n)^(n-j).
// Each term is a binomial probability, by Loader's form, which loses no digits for large n.
double OneSidedTail(int64_t n, double d) {
  const auto size = static_cast<double>(n);
  const double t = size * d;
  double sum = std::exp(size * std::log1p(-d));
  for (int64_t j = 1; j < n; ++j) {
    const auto below = static_cast<double>(j), above = static_cast<double>(n - j);
    if (above <= t) break;
    const double exponent = StirlingError(n) - StirlingError(j) - StirlingError(n - j) +
                            below * std::log1p(t / below) + above * std::log1p(-t / above);
    sum += std::exp(exponent) * std::sqrt(size / (2 * pi * below * above)) * t / (t + below);
  }
  return sum;
}

// A square matrix times 2^exponent.
struct ScaledMatrix {
  size_t size;
  std::vector<double> values;
  int exponent = 0;

  double& At(size_t row, size_t column) { return values[row * size + column]; }
  double At(size_t row, size_t column) const { return values[row * size + column]; }
};

ScaledMatrix Multiply(const ScaledMatrix& a, const ScaledMatrix& b) {
  ScaledMatrix product{a.size, std::vector<double>(a.size * a.size), a.exponent + b.exponent};
  for (size_t i = 0; i < a.size; ++i) {
    for (size_t k = 0; k < a.size; ++k) {
      const double factor = a.At(i, k);
      for (size_t j = 0; j < a.size; ++j) product.At(i, j) += factor * b.At(k, j);
    }
  }
  constexpr int kStep = 400;
  if (product.At(a.size / 2, a.size / 2) > std::ldexp(1.0, kStep)) {
    for (double& value : product.values) value = std::ldexp(value, -kStep);
    product.exponent += kStep;
  }
  return product;
}

// P(D_n < d), exact, by Durbin's matrix as Marsaglia, Tsang and Wang (2003) set it up: with
// n d = k - h, 0 <= h < 1, it is n! / n^n times the middle element of the n-th power of H.
double ExactBody(int64_t n, double d) {
  const double t = static_cast<double>(n) * d;
  const double k = std::ceil(t);
  const double h = k - t;
  const auto size = static_cast<size_t>(2 * k - 1);
  ScaledMatrix base{size, std::vector<double>(size * size)};
  std::vector<double> inverse_factorial(size + 2, 1.0);
  for (size_t i = 1; i < size + 2; ++i) {
    inverse_factorial[i] = inverse_factorial[i - 1] / static_cast<double>(i);
  }
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < std::min(i + 2, size); ++j) base.At(i, j) = inverse_factorial[i + 1 - j];
  }
  for (size_t i = 0; i < size; ++i) {
    const double less = std::pow(h, static_cast<double>(i + 1)) * inverse_factorial[i + 1];
    base.At(i, 0) -= less;
    base.At(size - 1, size - 1 - i) -= less;
  }
  if (h > 0.5) {
    base.At(size - 1, 0) +=
        std::pow(2 * h - 1, static_cast<double>(size)) * inverse_factorial[size];
  }
  ScaledMatrix power{size, std::vector<double>(size * size)};
  for (size_t i = 0; i < size; ++i) power.At(i, i) = 1;
  for (int64_t left = n; left > 0; left /= 2) {
    if (left % 2 == 1) power = Multiply(power, base);
    if (left > 1) base = Multiply(base, base);
  }
  double probability = power.At(size / 2, size / 2);
  int exponent = power.exponent;
  for (int64_t i = 1; i <= n; ++i) {
    int shift = 0;
    probability = std::frexp(probability * static_cast<double>(i) / static_cast<double>(n), &shift);
    exponent += shift;
  }
  return std::ldexp(probability, exponent);
}

// P(D_n < d) for large n and small d, by the expansion of Pelz and Good (1976) in 1 / sqrt(n).
double ApproximateBody(int64_t n, double d) {
  const auto size = static_cast<double>(n);
  const double z = std::sqrt(size) * d;
  const double z2 = z * z, z4 = z2 * z2, z6 = z4 * z2, z8 = z4 * z4;
  const double pi2 = pi * pi, pi4 = pi2 * pi2, pi6 = pi4 * pi2;
  double k0 = 0, k1 = 0, k2 = 0, k3 = 0;  // over odd m, of exp(-m^2 pi^2 / 8 z^2)
  double k2_whole = 0, k3_whole = 0;      // over all k, of exp(-k^2 pi^2 / 2 z^2)
  for (int k = static_cast<int>(std::ceil(16 * z / pi)); k > 0; --k) {
    const double m2 = (2.0 * k - 1) * (2.0 * k - 1), m4 = m2 * m2, m6 = m4 * m2;
    const double odd = std::exp(-m2 * pi2 / (8 * z2));
    k0 += odd;
    k1 += odd * (-z2 + pi2 / 4 * m2);
    k2 += odd * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * pi2 / 4 * m2 + (1 - 2 * z2) * pi4 / 16 * m4);
    k3 += odd * (-30 * z6 - 90 * z8 + (135 * z4 - 96 * z6) * pi2 / 4 * m2 +
                 (212 * z4 - 60 * z2) * pi4 / 16 * m4 + (5 - 30 * z2) * pi6 / 64 * m6);
    const double square = static_cast<double>(k) * k;
    const double whole = square * std::exp(-square * pi2 / (2 * z2));
    k2_whole += whole;
    k3_whole += whole * (3 * z2 - pi2 * square);
  }
  const double root = std::sqrt(2 * pi);
  k0 *= root / z;
  k1 *= root / (6 * z4);
  k2 = root * (k2 / (72 * z6 * z) - pi2 / (36 * z2 * z) * k2_whole);
  k3 = root * (k3 / (6480 * z8 * z2) + pi2 / (216 * z6) * k3_whole);
  return k0 + k1 / std::sqrt(size) + k2 / size + k3 / (size * std::sqrt(size));
}

double Unclipped(int64_t n, double d) {
  const auto size = static_cast<double>(n);
  const double t = size * d;
  if (d >= 1) return 0;
  if (t <= 0.5) return 1;
  if (t <= 1) {  // each draw within reach of its own step: n! (2d - 1/n)^n
    double body = 1;
    for (int64_t i = 1; i <= n && body > 0; ++i)
      body *= static_cast<double>(i) / size * (2 * t - 1);
    return 1 - body;
  }
  if (t >= size - 1) return 2 * std::pow(1 - d, size);
  if (d >= 0.5) return 2 * OneSidedTail(n, d);  // both sides cannot happen at once
  const double n_d_squared = t * d;
  if (n <= 140) return n_d_squared <= 4 ? 1 - ExactBody(n, d) : 2 * OneSidedTail(n, d);
  if (n_d_squared >= 370) return 0;
  if (n_d_squared >= 2.2) return 2 * OneSidedTail(n, d);
  if (n <= 100000 && t * std::sqrt(d) <= 1.4) return 1 - ExactBody(n, d);
  // Below exp(-708) the expansion's terms are 0 / 0.
  if (pi * pi / (8 * n_d_squared) > 708) return 1;
  return 1 - ApproximateBody(n, d);
}

constexpr int64_t kLargestExact = 10000;

std::vector<double> Sorted(std::span<const double> sample) {
  if (sample.empty()) BadInput("eval", "a sample of the Kolmogorov-Smirnov test has no values");
  std::vector<double> sorted(sample.begin(), sample.end());
  if (std::ranges::any_of(sorted, [](double value) { return std::isnan(value); })) {
    BadInput("eval", "a sample of the Kolmogorov-Smirnov test holds a NaN");
  }
  std::ranges::sort(sorted);
  return sorted;
}

// Calls `visit(i, j)` behind each distinct value: i values of `a` and j of `b` are not above it.
template <typename Visit>
void VisitSteps(const std::vector<double>& a, const std::vector<double>& b, Visit visit) {
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    const double value = j == b.size() || (i < a.size() && a[i] < b[j]) ? a[i] : b[j];
    while (i < a.size() && a[i] == value) ++i;
    while (j < b.size() && b[j] == value) ++j;
    visit(static_cast<int64_t>(i), static_cast<int64_t>(j));
  }
}

// P(D >= h / n) for two samples of n: the reflection principle's alternating sum
//   2 (C(2n, n-h) - C(2n, n-2h) + ...) / C(2n, n), factored so that no binomial is computed.
double TailOfEqualSizes(int64_t n, int64_t h) {
  double tail = 0;
  for (int64_t k = n / h; k >= 0; --k) {
    double ratio = 1;
    for (int64_t j = 0; j < h; ++j) {
      ratio = static_cast<double>(n - k * h - j) * ratio / static_cast<double>(n + k * h + j + 1);
    }
    tail = ratio * (1 - tail);
  }
  return 2 * tail;
}

// P(D >= h / lcm(m, n)): the share of lattice paths from (0, 0) to (m, n) that touch or leave the
// band |x/m - y/n| < h/lcm. share(x, y) of the paths to (x, y), of which x/(x+y) come from
// (x-1, y), is a mean of two shares, so nothing cancels or overflows (Viehmann 2021, "Numerically
// more stable computation of the p-values for the two-sample Kolmogorov-Smirnov test").
double TailOfUnequalSizes(int64_t m, int64_t n, int64_t h) {
  if (m < n) std::swap(m, n);
  const int64_t divisor = std::gcd(m, n), step_x = n / divisor, step_y = m / divisor;
  std::vector<double> share(static_cast<size_t>(n + 1), 1.0);  // of row x, by y; 1 outside the band
  int64_t low = 0;
  for (int64_t x = 0; x <= m; ++x) {
    const int64_t centre = x * step_x;
    const int64_t first = centre < h ? 0 : (centre - h) / step_y + 1;
    const int64_t end = std::min((centre + h + step_y - 1) / step_y, n + 1);
    for (; low < first; ++low) share[static_cast<size_t>(low)] = 1.0;
    if (first >= end) return 1.0;
    double value = first == 0 ? 0.0 : 1.0;
    for (int64_t y = first; y < end; ++y) {
      double& here = share[static_cast<size_t>(y)];
      if (x == 0) {
        here = 0.0;
        continue;
      }
      value = (here * static_cast<double>(x) + value * static_cast<double>(y)) /
              static_cast<double>(x + y);
      here = value;
    }
  }
  return share.back();
}

}  // namespace

double KolmogorovTail(int64_t n, double d) { return std::clamp(Unclipped(n, d), 0.0, 1.0); }

KsResult KsTest(std::span<const double> first, std::span<const double> second) {
  const std::vector<double> a = Sorted(first), b = Sorted(second);
  const auto m = static_cast<int64_t>(a.size()), n = static_cast<int64_t>(b.size());
  const auto size_a = static_cast<double>(m), size_b = static_cast<double>(n);
  KsResult result;
  if (std::max(m, n) <= kLargestExact) {
    const int64_t divisor = std::gcd(m, n);
    int64_t h = 0;  // the statistic in units of 1 / lcm(m, n)
    VisitSteps(a, b, [&](int64_t i, int64_t j) {
      h = std::max(h, std::abs(i * (n / divisor) - j * (m / divisor)));
    });
    result.statistic = static_cast<double>(h) / static_cast<double>(m / divisor * n);
    if (h == 0) return result;
    result.p_value = m == n ? TailOfEqualSizes(m, h) : TailOfUnequalSizes(m, n, h);
    if (result.p_value <= 1) return result;
    // Rounding carried it beyond 1: scipy goes on like this too.
  } else {
    VisitSteps(a, b, [&](int64_t i, int64_t j) {
      const double distance = static_cast<double>(i) / size_a - static_cast<double>(j) / size_b;
      result.statistic = std::max(result.statistic, std::abs(distance));
    });
  }
  const double effective = std::nearbyint(size_a * size_b / (size_a + size_b));
  result.p_value = KolmogorovTail(static_cast<int64_t>(effective), result.statistic);
  return result;
}

}  // namespace grin
