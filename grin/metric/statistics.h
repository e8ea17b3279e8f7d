#pragma once
// Figures of samples. Every function throws Error (bad input) on an empty sample or a NaN.

#include <cstdint>
#include <span>

namespace grin {

// Area under the ROC curve: the probability that a value of `positives` is above one of
// `negatives`, ties counted half. Equals `sklearn.metrics.roc_auc_score`.
double Auc(std::span<const double> negatives, std::span<const double> positives);

// n over the sum of the reciprocals; 0 when a value is 0. Equals `scipy.stats.hmean`. Error also
// on a negative value.
double HarmonicMean(std::span<const double> values);

double Mean(std::span<const double> values);

// Standard error of a share that was counted in `count` independent trials: sqrt(p (1-p) / count).
double StandardErrorOfProportion(double share, int64_t count);

struct BootstrapOptions {
  int64_t resamples = 1000;
  double confidence = 0.95;  // share of the resampled means within the interval
  uint64_t seed = 0;
};

struct Interval {
  double low = 0;
  double high = 0;
};

// Percentile bootstrap interval of the mean (Efron 1979): each resample draws as many values as
// there are, with replacement. The same seed gives the same interval on every machine.
Interval BootstrapMean(std::span<const double> values, const BootstrapOptions& options = {});

}  // namespace grin
