#include "grin/base/memory.h"

#include <malloc.h>
#include <sys/resource.h>

namespace grin {

int64_t PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

void ReturnLargeBlocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 256 << 10);  // a threshold that is set does not grow any more
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

}  // namespace grin
