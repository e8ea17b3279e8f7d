#include "grin/model/cpu/dot_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "grin/model/cpu/dot_products.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which compiles this file once for each set of instructions:
#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstddef>

#include "grin/model/cpu/dot_columns-inl.h"
#include "grin/model/cpu/dot_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

// A block of the depth of both factors. Its length is part of the numeric rule: it says where sums
// begin anew. The rows of a tile stay in the first cache, the columns of a panel in the second.
#if HWY_TARGET == HWY_AVX3
constexpr int64_t kDepthBlock = 768;
#else
constexpr int64_t kDepthBlock = 1024;
#endif
constexpr int64_t kPanelFloats = 48 * 1024;

template <typename T>
float WideNumber(T value) {
  if constexpr (sizeof(T) == 2) {
    return std::bit_cast<float>(uint32_t{value} << 16);
  } else {
    return value;
  }
}

// Columns that lie contiguous along the depth. `to` is fp32 [columns, stride], zero from `depth` to
// `padded`.
template <typename T>
void PackContiguous(const T* from, int64_t column_stride, int64_t columns, int64_t depth,
                    int64_t padded, int64_t stride, float* to) {
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < columns; ++c, from += column_stride, to += stride) {
    int64_t k = 0;
    for (; k + lanes <= depth; k += lanes) hn::StoreU(LoadWide(d, from + k), d, to + k);
    for (; k < depth; ++k) to[k] = WideNumber(from[k]);
    std::fill(to + depth, to + padded, 0.0f);
  }
}

// The same for columns that lie side by side, so that a register holds one number of each of
// several.
template <typename T>
void PackTransposed(const T* from, int64_t depth_stride, int64_t columns, int64_t depth,
                    int64_t padded, int64_t stride, float* to) {
  int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float four[4 * hn::MaxLanes(TileTag())];
  for (; c + lanes <= columns; c += lanes) {
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      const T* at = from + k * depth_stride + c;
      const TileVector k0 = LoadWide(d, at), k1 = LoadWide(d, at + depth_stride),
                       k2 = LoadWide(d, at + 2 * depth_stride),
                       k3 = LoadWide(d, at + 3 * depth_stride);
      // Each block of four columns becomes four blocks of four numbers along the depth.
      const hn::Repartition<double, TileTag> pair;
      const auto bits = [&](TileVector v) { return hn::BitCast(pair, v); };
      const auto low = bits(hn::InterleaveLower(d, k0, k1)),
                 high = bits(hn::InterleaveUpper(d, k0, k1));
      const auto low2 = bits(hn::InterleaveLower(d, k2, k3)),
                 high2 = bits(hn::InterleaveUpper(d, k2, k3));
      const auto keep = [&](auto v, int64_t column) {
        hn::Store(hn::BitCast(d, v), d, four + column * lanes);
      };
      keep(hn::InterleaveLower(pair, low, low2), 0);
      keep(hn::InterleaveUpper(pair, low, low2), 1);
      keep(hn::InterleaveLower(pair, high, high2), 2);
      keep(hn::InterleaveUpper(pair, high, high2), 3);
      for (int64_t block = 0; block < lanes; block += 4) {
        for (int64_t i = 0; i < 4; ++i) {
          const hn::CappedTag<float, 4> quarter;
          hn::StoreU(hn::Load(quarter, four + i * lanes + block), quarter,
                     to + (c + block + i) * stride + k);
        }
      }
    }
    for (; k < depth; ++k) {
      for (int64_t i = 0; i < lanes; ++i) {
        to[(c + i) * stride + k] = WideNumber(from[k * depth_stride + c + i]);
      }
    }
  }
#endif
  for (; c < columns; ++c) {
    for (int64_t k = 0; k < depth; ++k) to[c * stride + k] = WideNumber(from[k * depth_stride + c]);
  }
  for (c = 0; c < columns; ++c) std::fill(to + c * stride + depth, to + c * stride + padded, 0.0f);
}

// Rows [0, count) of a panel of packed columns.
template <typename T>
HWY_INLINE void MultiplyTile(const float* left, int64_t left_stride, int64_t rows, const T* right,
                             int64_t right_stride, int64_t columns, int64_t depth, float* out,
                             int64_t out_stride, bool add) {
  for (int64_t c = 0; c < columns; c += kTileColumns) {
    const int64_t count = std::min(kTileColumns, columns - c);
    const T* at = right + c * right_stride;
    const T* const four[kTileColumns] = {at, count > 1 ? at + right_stride : at,
                                         count > 2 ? at + 2 * right_stride : at,
                                         count > 3 ? at + 3 * right_stride : at};
    DotTile(left, left_stride, rows, four, depth, out + c, out_stride, count, add);
  }
}

// Room for floats that begin a line of the cache.
class AlignedRoom {
 public:
  float* OfSize(int64_t count) {
    const auto wanted = static_cast<size_t>(count);
    if (wanted > size_) {
      floats_ = hwy::AllocateAligned<float>(wanted);
      size_ = wanted;
    }
    return floats_.get();
  }

 private:
  hwy::AlignedFreeUniquePtr<float[]> floats_;
  size_t size_ = 0;
};

// Up to this many rows multiply columns that lie side by side where they lie: see DotColumns. More
// rows are worth the packing.
constexpr int64_t kFewRows = 12;

template <typename T>
void MultiplyAs(DotProducts p) {
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto* right = static_cast<const T*>(p.right.data);
  const bool contiguous = p.right.depth_stride == 1;
  if (p.rows <= kTileRows && contiguous && p.depth % lanes == 0) {
    // Few rows wait for the right factor, which is read once, as it lies in memory.
    for (int64_t c = 0; c < p.columns; c += kTileColumns) {
      for (int64_t k = 0; k < p.depth; k += kDepthBlock) {
        MultiplyTile(p.left + k, p.left_stride, p.rows, right + c * p.right.column_stride + k,
                     p.right.column_stride, std::min(kTileColumns, p.columns - c),
                     std::min(kDepthBlock, p.depth - k), p.out + c, p.out_stride, p.add || k > 0);
      }
    }
    return;
  }
  if (p.rows <= kFewRows && !contiguous) {
    int64_t done = 0;
    for (int64_t k = 0; k < p.depth; k += kDepthBlock) {
      done = DotColumns(p.left + k, p.left_stride, p.rows, right + k * p.right.depth_stride,
                        p.right.depth_stride, p.columns, std::min(kDepthBlock, p.depth - k), p.out,
                        p.out_stride, p.add || k > 0);
    }
    // Columns that do not fill a register are left.
    right += done;
    p.out += done;
    p.columns -= done;
  }
  thread_local AlignedRoom panel_room, tile_room;
  for (int64_t k = 0; k < p.depth; k += kDepthBlock) {
    const int64_t depth = std::min(kDepthBlock, p.depth - k);
    const int64_t padded = (depth + lanes - 1) / lanes * lanes;
    // Rows begin a line of the cache; a power of two apart they would share its places.
    constexpr int64_t kLine = 16;
    const int64_t lines = (padded + kLine - 1) / kLine;
    const int64_t stride = (lines % 8 == 0 ? lines + 1 : lines) * kLine;
    const int64_t most =
        std::max(kTileColumns, kPanelFloats / stride / kTileColumns * kTileColumns);
    float* panel = panel_room.OfSize(most * stride);
    float* tile = tile_room.OfSize(kTileRows * stride);
    for (int64_t c = 0; c < p.columns; c += most) {
      const int64_t columns = std::min(most, p.columns - c);
      const T* from = right + c * p.right.column_stride + k * p.right.depth_stride;
      if (contiguous) {
        PackContiguous(from, p.right.column_stride, columns, depth, padded, stride, panel);
      } else {
        PackTransposed(from, p.right.depth_stride, columns, depth, padded, stride, panel);
      }
      for (int64_t r = 0; r < p.rows; r += kTileRows) {
        const int64_t rows = std::min(kTileRows, p.rows - r);
        PackContiguous(p.left + r * p.left_stride + k, p.left_stride, rows, depth, padded, stride,
                       tile);
        MultiplyTile(tile, stride, rows, panel, stride, columns, padded,
                     p.out + r * p.out_stride + c, p.out_stride, p.add || k > 0);
      }
    }
  }
}

void MultiplyBest(const DotProducts& p) {
  if (p.right.is_bfloat16) {
    MultiplyAs<uint16_t>(p);
  } else {
    MultiplyAs<float>(p);
  }
}

void AddSelectedDotsBest(const float* left, const float* columns, int64_t stride, int64_t depth,
                         const int32_t* selected, int64_t count, float* out) {
  for (int64_t j = 0; j < count; j += kTileColumns) {
    const int64_t some = std::min(kTileColumns, count - j);
    const float* four[kTileColumns];
    for (int64_t i = 0; i < kTileColumns; ++i) {
      four[i] = columns + selected[i < some ? j + i : j] * stride;
    }
    DotTile(left, 0, 1, four, depth, out + j, 0, some, /*add=*/true);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace grin {

HWY_EXPORT(MultiplyBest);
HWY_EXPORT(AddSelectedDotsBest);

void Multiply(const DotProducts& product) {
  if (product.depth == 0 && !product.add) {
    for (int64_t r = 0; r < product.rows; ++r) {
      std::fill_n(product.out + r * product.out_stride, product.columns, 0.0f);
    }
    return;
  }
  HWY_DYNAMIC_DISPATCH(MultiplyBest)(product);
}

void AddSelectedDots(const float* left, const float* columns, int64_t stride, int64_t depth,
                     const int32_t* selected, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(AddSelectedDotsBest)(left, columns, stride, depth, selected, count, out);
}

void PlainMultiply(const DotProducts& p) {
  const auto right = [&](int64_t column, int64_t k) -> double {
    const int64_t at = column * p.right.column_stride + k * p.right.depth_stride;
    if (!p.right.is_bfloat16) return static_cast<const float*>(p.right.data)[at];
    return std::bit_cast<float>(uint32_t{static_cast<const uint16_t*>(p.right.data)[at]} << 16);
  };
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t c = 0; c < p.columns; ++c) {
      float& out = p.out[r * p.out_stride + c];
      double sum = p.add ? out : 0.0;
      for (int64_t k = 0; k < p.depth; ++k) sum += p.left[r * p.left_stride + k] * right(c, k);
      out = static_cast<float>(sum);
    }
  }
}

void PlainAddSelectedDots(const float* left, const float* columns, int64_t stride, int64_t depth,
                          const int32_t* selected, int64_t count, float* out) {
  for (int64_t j = 0; j < count; ++j) {
    double sum = out[j];
    for (int64_t k = 0; k < depth; ++k) {
      sum += static_cast<double>(left[k]) * columns[selected[j] * stride + k];
    }
    out[j] = static_cast<float>(sum);
  }
}

}  // namespace grin
#endif  // HWY_ONCE
