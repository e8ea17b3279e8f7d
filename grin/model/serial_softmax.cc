#include "grin/model/serial_softmax.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grin/base/instructions.h"
#include "grin/model/exp_of_negative.h"

namespace grin {
namespace {

constexpr int64_t kTogether = 8;  // rows whose additions, each after the other, overlap
constexpr int64_t kBlock = 512;   // columns whose exponentials are in the cache when they are added

GRIN_INLINE inline float LargestOf(const float* logits, int64_t columns) {
  float largest = std::numeric_limits<float>::lowest();
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < columns; ++j) largest = logits[j] > largest ? logits[j] : largest;
  return largest;
}

// log sum exp of kTogether rows, `stride` apart; a stride of 0 repeats one row.
GRIN_INLINE inline void AddFromTheLeft(const float* logits, int64_t stride, int64_t columns,
                                       float* normalisers) {
  float largest[kTogether], sum[kTogether] = {};
  for (int64_t row = 0; row < kTogether; ++row) {
    largest[row] = LargestOf(logits + row * stride, columns);
  }
  float weights[kTogether][kBlock];
  for (int64_t first = 0; first < columns; first += kBlock) {
    const int64_t count = std::min(kBlock, columns - first);
    for (int64_t row = 0; row < kTogether; ++row) {
      const float* from = logits + row * stride + first;
      const float most = largest[row];
      float* to = weights[row];
#pragma omp simd
      for (int64_t j = 0; j < count; ++j) to[j] = ExpOfNegative(from[j] - most);
    }
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t row = 0; row < kTogether; ++row) sum[row] += weights[row][j];
    }
  }
  for (int64_t row = 0; row < kTogether; ++row) {
    normalisers[row] = largest[row] + std::log(sum[row]);
  }
}

}  // namespace

at::Tensor SerialLogNormaliser(const at::Tensor& logits) {
  if (!logits.is_cpu()) return logits.logsumexp(-1);
  const at::Tensor table = logits.contiguous();
  const int64_t rows = table.size(0), columns = table.size(1);
  const int64_t groups = (rows + kTogether - 1) / kTogether;
  at::Tensor normalisers = at::empty({rows}, at::kFloat);
  const auto* from = table.const_data_ptr<float>();
  auto* to = normalisers.mutable_data_ptr<float>();
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    WithBestInstructions([&]() GRIN_INLINE {
      for (int64_t row = begin * kTogether; row < std::min(end * kTogether, rows);) {
        if (row + kTogether <= rows) {
          AddFromTheLeft(from + row * columns, columns, columns, to + row);
          row += kTogether;
        } else {  // the last few, one at a time
          float same[kTogether];
          AddFromTheLeft(from + row * columns, 0, columns, same);
          to[row++] = same[0];
        }
      }
    });
  });
  return normalisers;
}

}  // namespace grin
