#include "grin/model/cpu/screen_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "grin/model/cpu/screen_kernels.cc"
#define HWY_WANT_AVX3_DL  // AVX-512 with products of bytes (VNNI)
#include <hwy/foreach_target.h>
// After foreach_target.h, which compiles this file once for each set of instructions:
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// sums [12, 32] = levels of the rows times levels of the tokens. Highway 1.0 has no product of
// bytes: for x86 it is written here, and every other target has the loop.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

#if HWY_TARGET == HWY_AVX3_DL
#pragma GCC push_options
#pragma GCC target( \
    "avx512vnni")  // Every processor of this target has it; Highway does not name it.
#endif

#if HWY_TARGET == HWY_AVX2
using Bytes = __m256i;
constexpr int64_t kRowsTogether = 4;  // times two registers of sums: half of the 16 registers
HWY_INLINE Bytes LoadBytes(const int8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
HWY_INLINE Bytes AllEqual(int32_t four) { return _mm256_set1_epi32(four); }
HWY_INLINE void StoreBytes(Bytes v, int32_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
}
HWY_INLINE Bytes AddProducts(Bytes sum, Bytes rows, Bytes tokens) {
  const Bytes pairs = _mm256_maddubs_epi16(rows, tokens);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#else
using Bytes = __m512i;
constexpr int64_t kRowsTogether = kScreenRows;  // times two registers: 24 of 32
HWY_INLINE Bytes LoadBytes(const int8_t* from) { return _mm512_loadu_si512(from); }
HWY_INLINE Bytes AllEqual(int32_t four) { return _mm512_set1_epi32(four); }
HWY_INLINE void StoreBytes(Bytes v, int32_t* to) { _mm512_storeu_si512(to, v); }
HWY_INLINE Bytes AddProducts(Bytes sum, Bytes rows, Bytes tokens) {
#if HWY_TARGET == HWY_AVX3_DL
  return _mm512_dpbusd_epi32(sum, rows, tokens);
#else
  const Bytes pairs = _mm512_maddubs_epi16(rows, tokens);
  return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#endif
}
#endif

void MultiplyLevels(const int8_t* tokens, const uint8_t* rows, int64_t steps,
                    int32_t sums[kScreenRows][kScreenTokens]) {
  constexpr int64_t kLanes = sizeof(Bytes) / 4;
  for (int64_t token = 0; token < kScreenTokens; token += 2 * kLanes) {
    for (int64_t row = 0; row < kScreenRows; row += kRowsTogether) {
      Bytes low[kRowsTogether], high[kRowsTogether];
      for (int64_t r = 0; r < kRowsTogether; ++r) low[r] = high[r] = AllEqual(0);
      for (int64_t k = 0; k < steps; ++k) {
        const int8_t* at = tokens + (k * kScreenTokens + token) * kScreenDepth;
        const Bytes first = LoadBytes(at), second = LoadBytes(at + kLanes * kScreenDepth);
#pragma GCC unroll 12
        for (int64_t r = 0; r < kRowsTogether; ++r) {
          int32_t four;
          std::memcpy(&four, rows + (k * kScreenRows + row + r) * kScreenDepth, sizeof four);
          const Bytes level = AllEqual(four);
          low[r] = AddProducts(low[r], level, first);
          high[r] = AddProducts(high[r], level, second);
        }
      }
#pragma GCC unroll 12
      for (int64_t r = 0; r < kRowsTogether; ++r) {
        StoreBytes(low[r], sums[row + r] + token);
        StoreBytes(high[r], sums[row + r] + token + kLanes);
      }
    }
  }
}

#if HWY_TARGET == HWY_AVX3_DL
#pragma GCC pop_options
#endif

#else

void MultiplyLevels(const int8_t* tokens, const uint8_t* rows, int64_t steps,
                    int32_t sums[kScreenRows][kScreenTokens]) {
  std::fill_n(&sums[0][0], kScreenRows * kScreenTokens, 0);
  for (int64_t k = 0; k < steps; ++k) {
    for (int64_t r = 0; r < kScreenRows; ++r) {
      const uint8_t* row = rows + (k * kScreenRows + r) * kScreenDepth;
      const int8_t* token = tokens + k * kScreenTokens * kScreenDepth;
      for (int64_t t = 0; t < kScreenTokens; ++t, token += kScreenDepth) {
        sums[r][t] += row[0] * token[0] + row[1] * token[1] + row[2] * token[2] + row[3] * token[3];
      }
    }
  }
}

#endif

// Keeps those of a tile's tokens that may be the row's largest.
HWY_INLINE void Sift(const int32_t* sums, const ScreenRow& row, const ScreenTokens& tokens,
                     ScreenFound& found) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> integer;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float upper[kScreenTokens];
  HWY_ALIGN float lower[kScreenTokens];
  const auto scale = hn::Set(d, row.scale), error = hn::Set(d, row.error),
             rounded_norm = hn::Set(d, row.rounded_norm);
  auto largest = hn::Set(d, std::numeric_limits<float>::lowest());
  for (int64_t i = 0; i < kScreenTokens; i += lanes) {
    const auto product = hn::ConvertTo(
        d, hn::Sub(hn::LoadU(integer, sums + i), hn::LoadU(integer, tokens.offset + i)));
    const auto logit = hn::MulAdd(product, hn::Mul(hn::LoadU(d, tokens.scale + i), scale),
                                  hn::LoadU(d, tokens.bias + i));
    const auto by_weight =
        hn::MulAdd(hn::LoadU(d, tokens.error + i), rounded_norm, hn::LoadU(d, tokens.slack + i));
    const auto margin = hn::MulAdd(hn::LoadU(d, tokens.norm + i), error, by_weight);
    const auto high = hn::Add(logit, margin);
    hn::Store(high, d, upper + i);
    hn::Store(hn::Sub(logit, margin), d, lower + i);
    largest = hn::Max(high, largest);
  }
  if (hn::GetLane(hn::MaxOfLanes(d, largest)) < found.largest_lower) return;  // nearly always
  for (int64_t i = 0; i < kScreenTokens; ++i) {
    if (upper[i] < found.largest_lower) continue;
    found.candidates.push_back({tokens.first + static_cast<int32_t>(i), upper[i]});
    found.largest_lower = std::max(found.largest_lower, lower[i]);
  }
}

void ScreenTileBest(const ScreenTokens& tokens, const uint8_t* levels, int64_t steps,
                    const ScreenRow* rows, ScreenFound* found, int64_t count) {
  int32_t sums[kScreenRows][kScreenTokens];
  MultiplyLevels(tokens.levels, levels, steps, sums);
  for (int64_t r = 0; r < count; ++r) Sift(sums[r], rows[r], tokens, found[r]);
}

double DotInDoubleBest(const float* a, const float* b, int64_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
  const auto product = [&](int64_t i, auto sum) HWY_ATTR {
    return hn::MulAdd(hn::PromoteTo(d, hn::LoadU(narrow, a + i)),
                      hn::PromoteTo(d, hn::LoadU(narrow, b + i)), sum);
  };
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    sum0 = product(i, sum0);
    sum1 = product(i + lanes, sum1);
    sum2 = product(i + 2 * lanes, sum2);
    sum3 = product(i + 3 * lanes, sum3);
  }
  const auto sums = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
  double total = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) total += static_cast<double>(a[i]) * b[i];
  return total;
}

void AppendAtLeastBest(const float* numbers, int64_t count, float least,
                       std::vector<int32_t>& found) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto bound = hn::Set(d, least);
  int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    if (hn::AllFalse(d, hn::Ge(hn::LoadU(d, numbers + j), bound))) continue;
    for (int64_t i = j; i < j + lanes; ++i) {
      if (numbers[i] >= least) found.push_back(static_cast<int32_t>(i));
    }
  }
  for (; j < count; ++j) {
    if (numbers[j] >= least) found.push_back(static_cast<int32_t>(j));
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace grin {

HWY_EXPORT(ScreenTileBest);
HWY_EXPORT(DotInDoubleBest);
HWY_EXPORT(AppendAtLeastBest);

void ScreenTile(const ScreenTokens& tokens, const uint8_t* levels, int64_t steps,
                const ScreenRow* rows, ScreenFound* found, int64_t count) {
  HWY_DYNAMIC_DISPATCH(ScreenTileBest)(tokens, levels, steps, rows, found, count);
}

double DotInDouble(const float* a, const float* b, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(DotInDoubleBest)(a, b, count);
}

void AppendAtLeast(const float* numbers, int64_t count, float least, std::vector<int32_t>& found) {
  HWY_DYNAMIC_DISPATCH(AppendAtLeastBest)(numbers, count, least, found);
}

void PlainScreenTile(const ScreenTokens& tokens, const uint8_t* levels, int64_t steps,
                     const ScreenRow* rows, ScreenFound* found, int64_t count) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t t = 0; t < kScreenTokens; ++t) {
      int32_t sum = 0;
      for (int64_t k = 0; k < steps; ++k) {
        for (int64_t i = 0; i < kScreenDepth; ++i) {
          sum += levels[(k * kScreenRows + r) * kScreenDepth + i] *
                 tokens.levels[(k * kScreenTokens + t) * kScreenDepth + i];
        }
      }
      const float logit =
          static_cast<float>(sum - tokens.offset[t]) * (tokens.scale[t] * rows[r].scale) +
          tokens.bias[t];
      const float margin =
          tokens.norm[t] * rows[r].error + tokens.error[t] * rows[r].rounded_norm + tokens.slack[t];
      if (logit + margin < found[r].largest_lower) continue;
      found[r].candidates.push_back({tokens.first + static_cast<int32_t>(t), logit + margin});
      found[r].largest_lower = std::max(found[r].largest_lower, logit - margin);
    }
  }
}

double PlainDotInDouble(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void PlainAppendAtLeast(const float* numbers, int64_t count, float least,
                        std::vector<int32_t>& found) {
  for (int64_t j = 0; j < count; ++j) {
    if (numbers[j] >= least) found.push_back(static_cast<int32_t>(j));
  }
}

}  // namespace grin
#endif  // HWY_ONCE
