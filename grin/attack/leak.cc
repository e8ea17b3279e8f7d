#include "grin/attack/leak.h"

#include "grin/base/error.h"

namespace grin {

double LeakWithin(int64_t n, int64_t c, int64_t k) {
  if (c < 0 || c > n || k < 1 || k > n) {
    Defect("attack", "the chance within {} of {} answers with {} leaks", k, n, c);
  }
  double none = 1;  // that no one of k answers, drawn without putting back, leaks
  for (int64_t i = 0; i < k && none > 0; ++i) {
    none *= static_cast<double>(n - c - i) / static_cast<double>(n - i);
  }
  return 1 - none;
}

}  // namespace grin
