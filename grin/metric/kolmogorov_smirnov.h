#pragma once
// The two-sample Kolmogorov-Smirnov test, and the distribution of the one-sample statistic.

#include <cstdint>
#include <span>

namespace grin {

struct KsResult {
  double statistic = 0;  // largest distance of the two empirical distributions, 0 to 1
  double p_value = 1;    // how often two samples of one distribution are that far apart or farther
};

// Two-sided, as `scipy.stats.ks_2samp` has it by default: exact up to 10,000 values a sample, else
// by the one-sample distribution. Error (bad input) when a sample is empty or holds a NaN.
KsResult KsTest(std::span<const double> first, std::span<const double> second);

// P(D_n >= d): how often the empirical distribution of n >= 1 draws departs from the true one by
// `d` or more. Exact where that is quick, else by an approximation with a relative error below
// 1e-6: the choice of Simard and L'Ecuyer (2011, "Computing the two-sided Kolmogorov-Smirnov
// distribution"), which `scipy.stats.kstwo.sf` makes too.
double KolmogorovTail(int64_t n, double d);

}  // namespace grin
