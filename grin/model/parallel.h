#pragma once
// Loops over the entries of a tensor, in pieces of a fixed size shared among the threads. Because
// the pieces do not depend on the number of threads, neither does a sum over them.

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace grin {

inline constexpr int64_t kPieceSize = 1 << 15;  // entries; a multiple of 8, see MaskTensor::bits

// Calls f(begin, end) for every piece of [0, count), in parallel and in no particular order.
template <typename F>
void ForEachPiece(int64_t count, const F& f) {
  const int64_t pieces = (count + kPieceSize - 1) / kPieceSize;
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      f(piece * kPieceSize, std::min(count, (piece + 1) * kPieceSize));
    }
  });
}

// The sum of f(begin, end), a double, over the pieces of [0, count), always added in their order.
template <typename F>
double SumOverPieces(int64_t count, const F& f) {
  std::vector<double> partial((count + kPieceSize - 1) / kPieceSize);
  ForEachPiece(count,
               [&](int64_t begin, int64_t end) { partial[begin / kPieceSize] = f(begin, end); });
  double sum = 0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace grin
