#pragma once
// What memory this process uses.

#include <cstdint>

namespace grin {

// Largest resident set so far, in bytes.
int64_t PeakMemory();

// Resident set now, in bytes.
int64_t PresentMemory();

// Gives freed memory back to the system, which the allocator otherwise keeps for later: worth its
// milliseconds after a stage that held much.
void ReturnFreedMemory();

}  // namespace grin
