#include "grin/model/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "grin/model/cpu/attention_kernels.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which compiles this file once for each set of instructions:
#include <hwy/highway.h>

#include <algorithm>
#include <bit>

#include "grin/model/cpu/dot_tile-inl.h"
#include "grin/model/cpu/softmax_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

HWY_INLINE float WideOne(float value) { return value; }
HWY_INLINE float WideOne(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Asks for rows j .. j + count of what is read next.
template <typename T>
HWY_INLINE void Prefetch(const T* next, int64_t j, int64_t count, int64_t dim) {
  const auto* bytes = reinterpret_cast<const char*>(next + j * dim);
  const int64_t size = count * dim * static_cast<int64_t>(sizeof(T));
  for (int64_t at = 0; at < size; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// scores[j] = query . keys[j]
template <typename T>
HWY_INLINE void ScoreKeys(const AttendedRows& r, const T* keys, const T* next) {
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = r.dim / lanes * lanes;  // the rest of a head of an odd size goes one by one
  for (int64_t j = 0; j < r.count; j += kTileColumns) {
    const int64_t some = std::min(kTileColumns, r.count - j);
    Prefetch(next, j, some, r.dim);
    const T* four[kTileColumns];
    for (int64_t i = 0; i < kTileColumns; ++i) four[i] = keys + (j + (i < some ? i : 0)) * r.dim;
    DotTile(r.query, 0, 1, four, whole, r.scores + j, 0, some, /*add=*/false);
    for (int64_t i = 0; i < some; ++i) {
      for (int64_t k = whole; k < r.dim; ++k) {
        r.scores[j + i] += r.query[k] * WideOne(four[i][k]);
      }
    }
  }
}

// kRegisters registers of `mixed`, from its place `first` on.
template <int kRegisters, typename T>
HWY_INLINE void MixPart(const AttendedRows& r, const T* values, const T* next, int64_t first) {
  const TileTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  TileVector sums[kRegisters];
  for (TileVector& sum : sums) sum = hn::Zero(d);
  for (int64_t j = 0; j < r.count; ++j) {
    if (first == 0) Prefetch(next, j, 1, r.dim);
    const TileVector weight = hn::Set(d, r.scores[j]);
    const T* row = values + j * r.dim + first;
#pragma GCC unroll 8
    for (int i = 0; i < kRegisters; ++i) {
      sums[i] = hn::MulAdd(weight, LoadWide(d, row + i * lanes), sums[i]);
    }
  }
  for (int i = 0; i < kRegisters; ++i) hn::StoreU(sums[i], d, r.mixed + first + i * lanes);
}

template <typename T>
void AttendAs(const AttendedRows& r) {
  const auto* keys = static_cast<const T*>(r.keys);
  const auto* values = static_cast<const T*>(r.values);
  ScoreKeys(r, keys, values);
  SoftmaxScores(r.scores, r.count, r.scale, r.cap);
  const auto* next = static_cast<const T*>(r.next);
  const auto lanes = static_cast<int64_t>(hn::Lanes(TileTag()));
  int64_t first = 0;
  for (; first + 8 * lanes <= r.dim; first += 8 * lanes) MixPart<8>(r, values, next, first);
  for (; first + 4 * lanes <= r.dim; first += 4 * lanes) MixPart<4>(r, values, next, first);
  for (; first + lanes <= r.dim; first += lanes) MixPart<1>(r, values, next, first);
  for (; first < r.dim; ++first) {
    float sum = 0;
    for (int64_t j = 0; j < r.count; ++j) sum += r.scores[j] * WideOne(values[j * r.dim + first]);
    r.mixed[first] = sum;
  }
}

void AttendRowsBest(const AttendedRows& r) {
  if (r.is_bfloat16) {
    AttendAs<uint16_t>(r);
  } else {
    AttendAs<float>(r);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace grin {

HWY_EXPORT(AttendRowsBest);

void AttendRows(const AttendedRows& rows) { HWY_DYNAMIC_DISPATCH(AttendRowsBest)(rows); }

void PlainAttendRows(const AttendedRows& r) {
  const auto number = [&](const void* numbers, int64_t at) -> double {
    if (!r.is_bfloat16) return static_cast<const float*>(numbers)[at];
    return std::bit_cast<float>(uint32_t{static_cast<const uint16_t*>(numbers)[at]} << 16);
  };
  for (int64_t j = 0; j < r.count; ++j) {
    double sum = 0;
    for (int64_t k = 0; k < r.dim; ++k) sum += r.query[k] * number(r.keys, j * r.dim + k);
    r.scores[j] = static_cast<float>(sum);
  }
  PlainSoftmaxScores(r.scores, r.count, r.scale, r.cap);
  for (int64_t k = 0; k < r.dim; ++k) {
    double sum = 0;
    for (int64_t j = 0; j < r.count; ++j) sum += r.scores[j] * number(r.values, j * r.dim + k);
    r.mixed[k] = static_cast<float>(sum);
  }
}

}  // namespace grin
#endif  // HWY_ONCE
