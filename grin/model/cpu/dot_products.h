#pragma once
// The matrix product of the CPU, as dot products: every number of the result is the sum over depth
// of what one row of the left factor and one row of the right factor hold side by side.
//
// Each number is made by the same operations in the same order whatever else is computed with it:
// lanes along the depth, one fused multiply-add per lane and step, a fixed tree over the lanes, and
// blocks of the depth added from left to right. So a row's results are the same to the bit alone
// and among a thousand others, by one thread and by many, from bf16 and from the same numbers in
// fp32. Factors of bf16 are exact in fp32, sums are in fp32.

#include <cstdint>

namespace grin {

// The right factor: entry (column, depth) lies at data[column * column_stride + depth *
// depth_stride]. One of the two strides is 1.
struct RightFactor {
  const void* data = nullptr;
  bool is_bfloat16 = false;  // else fp32
  int64_t column_stride = 0;
  int64_t depth_stride = 1;
};

// out[r * out_stride + c] = sum_d left[r * left_stride + d] * right(c, d), fp32; with `add`, the
// sum is added to what is there.
struct DotProducts {
  const float* left = nullptr;
  int64_t left_stride = 0;
  RightFactor right;
  int64_t rows = 0, columns = 0, depth = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
  bool add = false;
};

// By one thread. Rows and columns may be given in parts, which changes no bit.
void Multiply(const DotProducts& product);

// What Multiply means, in float64 and one number after the other.
void PlainMultiply(const DotProducts& product);

// out[j] += sum_d left[d] * columns[selected[j] * stride + d] for j in [0, count), d in [0, depth).
// `depth` is a multiple of kDotPadding, and both factors hold zeros where there is nothing.
inline constexpr int64_t kDotPadding = 16;
void AddSelectedDots(const float* left, const float* columns, int64_t stride, int64_t depth,
                     const int32_t* selected, int64_t count, float* out);
void PlainAddSelectedDots(const float* left, const float* columns, int64_t stride, int64_t depth,
                          const int32_t* selected, int64_t count, float* out);

}  // namespace grin
