#include "grin/metric/kolmogorov_smirnov.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "grin/base/error.h"
#include "grin/metric/kolmogorov_distribution.h"

namespace grin {
namespace {

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
