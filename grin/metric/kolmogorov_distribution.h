#pragma once
// The distribution of the one-sample Kolmogorov-Smirnov statistic.

#include <cstdint>

namespace grin {

// P(D_n >= d): how often the empirical distribution of n >= 1 draws departs from the true one by
// `d` or more. Exact where that is quick, else by an approximation with a relative error below
// 1e-6: the choice of Simard and L'Ecuyer (2011, "Computing the two-sided Kolmogorov-Smirnov
// distribution"), which `scipy.stats.kstwo.sf` makes too.
double KolmogorovTail(int64_t n, double d);

}  // namespace grin
