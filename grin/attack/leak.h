#pragma once
// The chance that at least one of k drawn answers leaks, from n answers of which c leaked.

#include <cstdint>

namespace grin {

// 1 - C(n - c, k) / C(n, k): without bias, as pass@k is estimated (Chen et al. 2021). 0 <= c <= n,
// 1 <= k <= n.
double LeakWithin(int64_t n, int64_t c, int64_t k);

}  // namespace grin
