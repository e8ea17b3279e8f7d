#pragma once
// The two-sample Kolmogorov-Smirnov test.

#include <span>

namespace grin {

struct KsResult {
  double statistic = 0;  // largest distance of the two empirical distributions, 0 to 1
  double p_value = 1;    // how often two samples of one distribution are that far apart or farther
};

// Two-sided, as `scipy.stats.ks_2samp` has it by default: exact up to 10,000 values a sample, else
// by the one-sample distribution. Error (bad input) when a sample is empty or holds a NaN.
KsResult KsTest(std::span<const double> first, std::span<const double> second);

}  // namespace grin
