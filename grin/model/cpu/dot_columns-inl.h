// Dot products of a few rows with columns that lie side by side in memory (a weight stored [in,
// out], as GPT-2 has it), for the files that compile kernels for each set of instructions. To be
// included once for each of them, after highway.h.
//
// Packing such columns costs more than a few rows' products. Here a register holds one number of
// each of several columns. The sums are those of dot_tile-inl.h to the bit: that file's lane l adds
// what lies at depths l, l + lanes, l + 2 * lanes and so on, so the same depths are added here
// before the next lane's, and the lanes' sums are added by the same tree.

#if defined(GRIN_MODEL_CPU_DOT_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRIN_MODEL_CPU_DOT_COLUMNS_INL_H_
#undef GRIN_MODEL_CPU_DOT_COLUMNS_INL_H_
#else
#define GRIN_MODEL_CPU_DOT_COLUMNS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "grin/model/cpu/dot_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

constexpr int64_t kLanes = hn::MaxLanes(TileTag());
// The sums that fill the registers.
constexpr int kTileSums = static_cast<int>(kTileRows * kTileColumns);

// The sum over the lanes of a tile's register, for as many columns as a register has lanes: `sums`
// holds the lanes' sums, `step` floats apart. The order is that of StoreSums and FoldToFour.
HWY_INLINE TileVector SumOfLanes(const float* sums, int64_t step) {
  const TileTag d;
  const auto lane = [&](int64_t l) HWY_ATTR { return hn::Load(d, sums + l * step); };
  if constexpr (kLanes < 4) {
    TileVector sum = lane(0);
    for (int64_t l = 1; l < kLanes; ++l) sum = hn::Add(sum, lane(l));
    return sum;
  } else {
    constexpr int64_t kBlocks = kLanes / 4;
    TileVector blocks[kBlocks];
#pragma GCC unroll 4
    for (int64_t b = 0; b < kBlocks; ++b) {
      blocks[b] =
          hn::Add(hn::Add(lane(4 * b), lane(4 * b + 2)), hn::Add(lane(4 * b + 1), lane(4 * b + 3)));
    }
#pragma GCC unroll 4
    for (int64_t half = kBlocks / 2; half > 0; half /= 2) {
      for (int64_t b = 0; b < half; ++b) blocks[b] = hn::Add(blocks[b], blocks[b + half]);
    }
    return blocks[0];
  }
}

// kRegisters registers of columns and kRows rows, over one block of the depth. `right` is at depth
// 0 of the first column.
template <int kRows, int kRegisters, typename T>
HWY_INLINE void DotColumnsOf(const float* HWY_RESTRICT left, int64_t left_stride,
                             const T* HWY_RESTRICT right, int64_t depth_stride, int64_t depth,
                             float* HWY_RESTRICT out, int64_t out_stride, bool add, bool ahead) {
  const TileTag d;
  HWY_ALIGN float sums_of_lanes[kLanes][kRows][kRegisters * kLanes];
  // Depths are far apart in memory, where the processor does not foresee what is read next.
  constexpr int64_t kAhead = 4;
  constexpr int64_t kBytes = kRegisters * kLanes * static_cast<int64_t>(sizeof(T));
  for (int64_t l = 0; l < kLanes; ++l) {
    TileVector sums[kRows][kRegisters];
#pragma GCC unroll 32
    for (auto& row : sums) {
#pragma GCC unroll 32
      for (TileVector& sum : row) sum = hn::Zero(d);
    }
    int64_t k = l;
    for (; k < depth; k += kLanes) {
      const T* const at = right + k * depth_stride;
      if (ahead) {
        const auto* bytes = reinterpret_cast<const char*>(at + kAhead * kLanes * depth_stride);
#pragma GCC unroll 32
        for (int64_t byte = 0; byte < kBytes; byte += 64) __builtin_prefetch(bytes + byte);
      }
      TileVector rows[kRows];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) rows[r] = hn::Set(d, left[r * left_stride + k]);
#pragma GCC unroll 32
      for (int i = 0; i < kRegisters; ++i) {
        const TileVector numbers = LoadWide(d, at + i * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sums[r][i] = hn::MulAdd(rows[r], numbers, sums[r][i]);
      }
    }
    // A tile's last step adds zeros to the lanes beyond the depth, which makes +0 of -0.
    const bool beyond = k < (depth + kLanes - 1) / kLanes * kLanes + l;
    const TileVector zero = hn::Zero(d);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 32
      for (int i = 0; i < kRegisters; ++i) {
        hn::Store(beyond ? hn::Add(sums[r][i], zero) : sums[r][i], d,
                  sums_of_lanes[l][r] + i * kLanes);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int i = 0; i < kRegisters; ++i) {
      float* to = out + r * out_stride + i * kLanes;
      const TileVector sum =
          SumOfLanes(sums_of_lanes[0][r] + i * kLanes, kRows * kRegisters * kLanes);
      hn::StoreU(add ? hn::Add(sum, hn::LoadU(d, to)) : sum, d, to);
    }
  }
}

// All rows times kRegisters registers of columns. The columns stay in the second cache from one
// group of rows to the next.
template <int kRegisters, typename T>
HWY_INLINE void DotColumnsOfRows(const float* left, int64_t left_stride, int64_t rows,
                                 const T* right, int64_t depth_stride, int64_t depth, float* out,
                                 int64_t out_stride, bool add) {
  int64_t r = 0;
  const auto group = [&](auto count) HWY_ATTR {
    constexpr int kRows = decltype(count)::value;
    if constexpr (kRows * kRegisters <= kTileSums) {
      DotColumnsOf<kRows, kRegisters>(left + r * left_stride, left_stride, right, depth_stride,
                                      depth, out + r * out_stride, out_stride, add,
                                      /*ahead=*/r == 0);
      r += kRows;
      return true;
    } else {
      return false;
    }
  };
  while (r < rows) {
    const int64_t left_over = rows - r;
    if (left_over >= kTileRows && group(std::integral_constant<int, kTileRows>())) continue;
    // Two pairs are faster than three rows and a single one.
    if (left_over >= 3 && left_over != 4 && group(std::integral_constant<int, 3>())) continue;
    if (left_over >= 2 && group(std::integral_constant<int, 2>())) continue;
    group(std::integral_constant<int, 1>());
  }
}

// out[r * out_stride + c] (+)= sum_k left[r * left_stride + k] * right[k * depth_stride + c] for r
// in [0, rows), k in [0, depth) and c in [0, n), where n is as many of `columns` as fill registers.
// Returns n.
template <typename T>
HWY_INLINE int64_t DotColumns(const float* left, int64_t left_stride, int64_t rows, const T* right,
                              int64_t depth_stride, int64_t columns, int64_t depth, float* out,
                              int64_t out_stride, bool add) {
  int64_t c = 0;
  const auto some = [&](auto count) HWY_ATTR {
    constexpr int kRegisters = decltype(count)::value;
    for (; c + kRegisters * kLanes <= columns; c += kRegisters * kLanes) {
      DotColumnsOfRows<kRegisters>(left, left_stride, rows, right + c, depth_stride, depth, out + c,
                                   out_stride, add);
    }
  };
  if (rows == 1) some(std::integral_constant<int, kTileSums>());
  if (rows == 2 || rows == 4) some(std::integral_constant<int, kTileSums / 2>());
  if (rows == 3) some(std::integral_constant<int, kTileSums / 3>());
  some(std::integral_constant<int, kTileColumns>());
  some(std::integral_constant<int, 1>());
  return c;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#endif  // include guard, once for each set of instructions
