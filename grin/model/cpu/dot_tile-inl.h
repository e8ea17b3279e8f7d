// One tile of dot products, for the files that compile kernels for each set of instructions. To be
// included once for each of them, after highway.h.

#if defined(GRIN_MODEL_CPU_DOT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRIN_MODEL_CPU_DOT_TILE_INL_H_
#undef GRIN_MODEL_CPU_DOT_TILE_INL_H_
#else
#define GRIN_MODEL_CPU_DOT_TILE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using TileTag = hn::ScalableTag<float>;
using TileVector = hn::Vec<TileTag>;

// The sums of a tile, its rows and one column fill the registers: 16 of AVX2, 32 of AVX-512.
constexpr int64_t kTileColumns = 4;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int64_t kTileRows = 6;
#else
constexpr int64_t kTileRows = 3;
#endif

HWY_INLINE TileVector LoadWide(TileTag d, const float* from) { return hn::LoadU(d, from); }

// bf16 is the upper half of fp32.
HWY_INLINE TileVector LoadWide(TileTag d, const uint16_t* from) {
  const hn::Rebind<uint16_t, TileTag> narrow;
  const hn::Rebind<uint32_t, TileTag> wide;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(narrow, from))));
}

#if HWY_TARGET != HWY_SCALAR
// Adds the upper half of a register to the lower one until four lanes are left.
template <class Tag>
HWY_INLINE auto FoldToFour(Tag tag, hn::Vec<Tag> v) {
  if constexpr (hn::MaxLanes(tag) <= 4) {
    return v;
  } else {
    const hn::Half<Tag> half;
    return FoldToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

// The sums of the lanes of four registers, added to to[0 .. count) or written there.
HWY_INLINE void StoreSums(TileVector s0, TileVector s1, TileVector s2, TileVector s3, float* to,
                          int64_t count, bool add) {
  float sums[4];
#if HWY_TARGET == HWY_SCALAR
  sums[0] = hn::GetLane(s0);
  sums[1] = hn::GetLane(s1);
  sums[2] = hn::GetLane(s2);
  sums[3] = hn::GetLane(s3);
#else
  const TileTag d;
  // Every block of four lanes: [s0 + s0', s1 + s1', ...], then [s0, s1, s2, s3].
  const hn::Repartition<double, TileTag> pair;
  const auto bits = [&](TileVector v) { return hn::BitCast(pair, v); };
  const auto s01 = bits(hn::Add(hn::InterleaveLower(d, s0, s1), hn::InterleaveUpper(d, s0, s1)));
  const auto s23 = bits(hn::Add(hn::InterleaveLower(d, s2, s3), hn::InterleaveUpper(d, s2, s3)));
  const auto blocks = hn::Add(hn::BitCast(d, hn::InterleaveLower(pair, s01, s23)),
                              hn::BitCast(d, hn::InterleaveUpper(pair, s01, s23)));
  const hn::CappedTag<float, 4> quarter;
  auto four = FoldToFour(d, blocks);
  if (count == 4) {
    if (add) four = hn::Add(four, hn::LoadU(quarter, to));
    hn::StoreU(four, quarter, to);
    return;
  }
  hn::StoreU(four, quarter, sums);
#endif
  for (int64_t i = 0; i < count; ++i) to[i] = add ? to[i] + sums[i] : sums[i];
}

template <int kRows, typename T>
HWY_INLINE void DotTileOf(const float* HWY_RESTRICT left, int64_t left_stride,
                          const T* const* columns, int64_t depth, float* out, int64_t out_stride,
                          int64_t count, bool add) {
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  TileVector sums[kRows][kTileColumns];
  for (auto& row : sums) {
    for (TileVector& sum : row) sum = hn::Zero(d);
  }
  const T* const c0 = columns[0];
  const T* const c1 = columns[1];
  const T* const c2 = columns[2];
  const T* const c3 = columns[3];
  for (int64_t k = 0; k < depth; k += lanes) {
    TileVector rows[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) rows[r] = hn::LoadU(d, left + r * left_stride + k);
    const auto add_column = [&](const T* column, int c) HWY_ATTR {
      const TileVector numbers = LoadWide(d, column + k);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r][c] = hn::MulAdd(rows[r], numbers, sums[r][c]);
    };
    add_column(c0, 0);
    add_column(c1, 1);
    add_column(c2, 2);
    add_column(c3, 3);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    StoreSums(sums[r][0], sums[r][1], sums[r][2], sums[r][3], out + r * out_stride, count, add);
  }
}

// out[r * out_stride + c] (+)= sum_d left[r * left_stride + d] * columns[c][d], for r in [0, rows
// <= kTileRows), c in [0, count <= 4). All four columns can be read; `depth` is a multiple of the
// lanes.
template <typename T>
HWY_INLINE void DotTile(const float* left, int64_t left_stride, int64_t rows,
                        const T* const* columns, int64_t depth, float* out, int64_t out_stride,
                        int64_t count, bool add) {
  switch (rows) {
    case 1:
      return DotTileOf<1>(left, left_stride, columns, depth, out, out_stride, count, add);
    case 2:
      return DotTileOf<2>(left, left_stride, columns, depth, out, out_stride, count, add);
    case 3:
      return DotTileOf<3>(left, left_stride, columns, depth, out, out_stride, count, add);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    case 4:
      return DotTileOf<4>(left, left_stride, columns, depth, out, out_stride, count, add);
    case 5:
      return DotTileOf<5>(left, left_stride, columns, depth, out, out_stride, count, add);
    case 6:
      return DotTileOf<6>(left, left_stride, columns, depth, out, out_stride, count, add);
#endif
    default:
      return;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#endif  // include guard, once for each set of instructions
