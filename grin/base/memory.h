#pragma once
// What memory this process uses.

#include <cstdint>

namespace grin {

// Largest resident set so far, in bytes.
int64_t PeakMemory();

// Blocks of 256 KiB and more go back to the system when they are freed. By default glibc soon keeps
// up to 32 MiB each for later, and tensors of ever new sizes leave gaps that nothing fits: measured
// as a third more memory. To be called before the first large block.
void ReturnLargeBlocks();

}  // namespace grin
