#include "grin/tune/sampled_dots.h"

#include "grin/base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace grin {
namespace {

// Four columns at a time, so that sums do not wait for each other. Inlined into a function for each
// set of instructions, for which the compiler vectorises the loop.
[[gnu::always_inline]] inline void Dots(const float* row, const float* columns, int64_t stride,
                                        int64_t length, const int32_t* column, int64_t count,
                                        float* gradient) {
  for (int64_t j = 0; j < count; j += 4) {
    const float* c0 = columns + column[j] * stride;
    const float* c1 = j + 1 < count ? columns + column[j + 1] * stride : c0;
    const float* c2 = j + 2 < count ? columns + column[j + 2] * stride : c0;
    const float* c3 = j + 3 < count ? columns + column[j + 3] * stride : c0;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (int64_t t = 0; t < length; ++t) {
      s0 += row[t] * c0[t];
      s1 += row[t] * c1[t];
      s2 += row[t] * c2[t];
      s3 += row[t] * c3[t];
    }
    gradient[j] += s0;
    if (j + 1 < count) gradient[j + 1] += s1;
    if (j + 2 < count) gradient[j + 2] += s2;
    if (j + 3 < count) gradient[j + 3] += s3;
  }
}

using FloatDots = void (*)(const float*, const float*, int64_t, int64_t, const int32_t*, int64_t,
                           float*);

void PlainDots(const float* row, const float* columns, int64_t stride, int64_t length,
               const int32_t* column, int64_t count, float* gradient) {
  Dots(row, columns, stride, length, column, count, gradient);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void Avx2Dots(const float* row, const float* columns,
                                                  int64_t stride, int64_t length,
                                                  const int32_t* column, int64_t count,
                                                  float* gradient) {
  Dots(row, columns, stride, length, column, count, gradient);
}

__attribute__((target("avx512f,prefer-vector-width=512"))) void Avx512Dots(
    const float* row, const float* columns, int64_t stride, int64_t length, const int32_t* column,
    int64_t count, float* gradient) {
  Dots(row, columns, stride, length, column, count, gradient);
}

#define GRIN_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512bf16")))

GRIN_BF16 inline __m512bh Load(const uint16_t* at) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(at));
}

// Four sums of lanes: [0] + [4] + [8] + [12], and so on.
GRIN_BF16 inline __m128 Fold(__m512 s) {
  constexpr __mmask8 kAll = 0xf;
  return _mm_add_ps(_mm_add_ps(_mm512_maskz_extractf32x4_ps(kAll, s, 0),
                               _mm512_maskz_extractf32x4_ps(kAll, s, 1)),
                    _mm_add_ps(_mm512_maskz_extractf32x4_ps(kAll, s, 2),
                               _mm512_maskz_extractf32x4_ps(kAll, s, 3)));
}

GRIN_BF16 void BFloat16Dots(const uint16_t* row, const uint16_t* columns, int64_t stride,
                            int64_t length, const int32_t* column, int64_t count, float* gradient) {
  for (int64_t j = 0; j < count; j += 4) {
    const uint16_t* c[4];
    for (int i = 0; i < 4; ++i) c[i] = columns + column[j + i < count ? j + i : j] * stride;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t t = 0; t < length; t += 32) {
      const __m512bh r = Load(row + t);
      s0 = _mm512_dpbf16_ps(s0, r, Load(c[0] + t));
      s1 = _mm512_dpbf16_ps(s1, r, Load(c[1] + t));
      s2 = _mm512_dpbf16_ps(s2, r, Load(c[2] + t));
      s3 = _mm512_dpbf16_ps(s3, r, Load(c[3] + t));
    }
    __m128 f0 = Fold(s0), f1 = Fold(s1), f2 = Fold(s2), f3 = Fold(s3);
    _MM_TRANSPOSE4_PS(f0, f1, f2, f3);
    alignas(16) float sums[4];
    _mm_store_ps(sums, _mm_add_ps(_mm_add_ps(f0, f1), _mm_add_ps(f2, f3)));
    for (int i = 0; i < 4 && j + i < count; ++i) gradient[j + i] += sums[i];
  }
}

#undef GRIN_BF16
#endif

FloatDots ChooseFloatDots() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return Avx512Dots;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Avx2Dots;
#endif
  return PlainDots;
}

}  // namespace

bool HasBFloat16Dots() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  return has;
#else
  return false;
#endif
}

void SampledDots(const float* row, const float* columns, int64_t stride, int64_t length,
                 const int32_t* column, int64_t count, float* gradient) {
  static const FloatDots dots = ChooseFloatDots();
  dots(row, columns, stride, length, column, count, gradient);
}

void SampledDots([[maybe_unused]] const uint16_t* row, [[maybe_unused]] const uint16_t* columns,
                 [[maybe_unused]] int64_t stride, [[maybe_unused]] int64_t length,
                 [[maybe_unused]] const int32_t* column, [[maybe_unused]] int64_t count,
                 [[maybe_unused]] float* gradient) {
#if defined(__x86_64__)
  if (HasBFloat16Dots()) return BFloat16Dots(row, columns, stride, length, column, count, gradient);
#endif
  Defect("tune", "bf16 dot products were asked for, this processor has none");
}

}  // namespace grin
