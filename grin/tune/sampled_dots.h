#pragma once
// The inner loops of the sampled product: dot products of one row with the columns that a mask
// selects, by the best instructions that this processor has.

#include <cstdint>

namespace grin {

// Rows are padded with zeros to a multiple of this many entries.
inline constexpr int64_t kDotPadding = 32;

// gradient[j] += sum_t row[t] * columns[column[j] * stride + t] for j in [0, count), t in
// [0, length). `length` and `stride` are multiples of kDotPadding. Sums are in fp32.
void SampledDots(const float* row, const float* columns, int64_t stride, int64_t length,
                 const int32_t* column, int64_t count, float* gradient);

// The same over bf16 bit patterns. Only where HasBFloat16Dots().
void SampledDots(const uint16_t* row, const uint16_t* columns, int64_t stride, int64_t length,
                 const int32_t* column, int64_t count, float* gradient);

// Whether this processor multiplies pairs of bf16 (AVX512-BF16).
bool HasBFloat16Dots();

}  // namespace grin
