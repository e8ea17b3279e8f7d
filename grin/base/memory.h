#pragma once
// What memory this process uses.

#include <cstdint>

namespace grin {

// Largest resident set so far, in bytes.
int64_t PeakMemory();

}  // namespace grin
