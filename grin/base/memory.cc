#include "grin/base/memory.h"

#include <sys/resource.h>

namespace grin {

int64_t PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace grin
