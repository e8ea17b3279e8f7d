#include "grin/metric/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/random.h"

namespace grin {
namespace {

void CheckSample(std::span<const double> values, std::string_view what) {
  if (values.empty()) BadInput("eval", "{}: there are no values", what);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) BadInput("eval", "{}: value {} is NaN", what, i);
  }
}

// The value below which `share` of the sorted values lie, between two of them in proportion.
double Quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double Auc(std::span<const double> negatives, std::span<const double> positives) {
  CheckSample(negatives, "AUC, negatives");
  CheckSample(positives, "AUC, positives");
  std::vector<double> sorted(negatives.begin(), negatives.end());
  std::ranges::sort(sorted);
  int64_t twice = 0;  // in halves, so that it is exact
  for (const double value : positives) {
    const auto equal = std::ranges::equal_range(sorted, value);
    twice += (equal.begin() - sorted.begin()) + (equal.end() - sorted.begin());
  }
  return static_cast<double>(twice) /
         (2 * static_cast<double>(negatives.size()) * static_cast<double>(positives.size()));
}

double HarmonicMean(std::span<const double> values) {
  CheckSample(values, "harmonic mean");
  double reciprocals = 0;
  for (const double value : values) {
    if (value < 0) BadInput("eval", "harmonic mean: {} is negative; it has none", value);
    reciprocals += 1 / std::abs(value);  // of -0 too: infinite, the mean 0
  }
  return static_cast<double>(values.size()) / reciprocals;
}

double Mean(std::span<const double> values) {
  CheckSample(values, "mean");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double StandardErrorOfProportion(double share, int64_t count) {
  if (!(share >= 0 && share <= 1)) {
    BadInput("eval", "standard error: {} is no share; it must be 0 to 1", share);
  }
  if (count < 1) BadInput("eval", "standard error: there are no trials");
  return std::sqrt(share * (1 - share) / static_cast<double>(count));
}

Interval BootstrapMean(std::span<const double> values, const BootstrapOptions& options) {
  CheckSample(values, "bootstrap");
  if (options.resamples < 1 || !(options.confidence > 0 && options.confidence < 1)) {
    BadUsage("eval", "bootstrap of {} resamples at confidence {}; it needs 1 or more, and 0 to 1",
             options.resamples, options.confidence);
  }
  const RandomStream random(options.seed, "bootstrap");
  const uint64_t count = values.size();
  uint64_t draw = 0;
  std::vector<double> means(static_cast<size_t>(options.resamples));
  for (double& mean : means) {
    double sum = 0;
    for (uint64_t i = 0; i < count; ++i) sum += values[random.Below(draw++, count)];
    mean = sum / static_cast<double>(count);
  }
  std::ranges::sort(means);
  const double outside = (1 - options.confidence) / 2;
  return {Quantile(means, outside), Quantile(means, 1 - outside)};
}

}  // namespace grin
