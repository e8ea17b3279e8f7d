#pragma once
// How many rows of logits are whole in memory at one time.

#include <algorithm>
#include <cstdint>

namespace grin {

// Of `vocabulary` numbers each, in fp32: about `chunk_bytes`, but many enough that a product, which
// reads the weights once for all rows, is worth it.
constexpr int64_t LogitChunkRows(int64_t vocabulary, int64_t chunk_bytes) {
  constexpr int64_t kEnough = 256, kLargest = int64_t{128} << 20;
  const int64_t row_bytes = 4 * vocabulary;
  return std::max({int64_t{16}, chunk_bytes / row_bytes, std::min(kEnough, kLargest / row_bytes)});
}

}  // namespace grin
