#include "grin/model/slot_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/instructions.h"

namespace grin {
namespace {

inline float Wide(float value) { return value; }
inline float Wide(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }  // bf16

// Asks for rows j .. j + count of what is read next: the processor foresees a stream, but not that
// the next one begins elsewhere.
template <typename T>
[[gnu::always_inline]] inline void Prefetch(const T* next, int64_t j, int64_t count, int64_t dim) {
  const auto* bytes = reinterpret_cast<const char*>(next + j * dim);
  const int64_t size = count * dim * static_cast<int64_t>(sizeof(T));
  for (int64_t at = 0; at < size; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// scores[j] = query . keys[j], four rows at a time, so that sums do not wait for each other.
// Inlined where the instructions are chosen.
template <typename T>
[[gnu::always_inline]] inline void Products(const float* query, const T* keys, const T* next,
                                            int64_t count, int64_t dim, float* scores) {
  for (int64_t j = 0; j < count; j += 4) {
    Prefetch(next, j, 4, dim);
    const T* k0 = keys + j * dim;
    const T* k1 = j + 1 < count ? k0 + dim : k0;
    const T* k2 = j + 2 < count ? k0 + 2 * dim : k0;
    const T* k3 = j + 3 < count ? k0 + 3 * dim : k0;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (int64_t d = 0; d < dim; ++d) {
      s0 += query[d] * Wide(k0[d]);
      s1 += query[d] * Wide(k1[d]);
      s2 += query[d] * Wide(k2[d]);
      s3 += query[d] * Wide(k3[d]);
    }
    scores[j] = s0;
    if (j + 1 < count) scores[j + 1] = s1;
    if (j + 2 < count) scores[j + 2] = s2;
    if (j + 3 < count) scores[j + 3] = s3;
  }
}

// mixed[d] = sum_j weights[j] * values[j][d]
template <typename T>
[[gnu::always_inline]] inline void Mix(const float* weights, const T* values, const T* next,
                                       int64_t count, int64_t dim, float* mixed) {
  std::fill(mixed, mixed + dim, 0.0f);
  for (int64_t j = 0; j < count; ++j) {
    Prefetch(next, j, 1, dim);
    const float weight = weights[j];
    const T* row = values + j * dim;
#pragma omp simd
    for (int64_t d = 0; d < dim; ++d) mixed[d] += weight * Wide(row[d]);
  }
}

// Scores [count] to weights that sum to 1. Not inlined: its rounding is the same whatever the
// instructions.
[[gnu::noinline]] void Softmax(float* scores, int64_t count, const AttentionSpec& spec) {
  const auto scale = static_cast<float>(spec.scale);
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t j = 0; j < count; ++j) {
    scores[j] *= scale;
    if (spec.softcap) {
      const auto cap = static_cast<float>(*spec.softcap);
      scores[j] = cap * std::tanh(scores[j] / cap);
    }
    largest = std::max(largest, scores[j]);
  }
  float total = 0;
  for (int64_t j = 0; j < count; ++j) total += scores[j] = std::exp(scores[j] - largest);
  for (int64_t j = 0; j < count; ++j) scores[j] /= total;
}

// One query over `count` rows of keys and values; `next` is read after them.
template <typename T>
[[gnu::always_inline]] inline void Attend(const float* query, const T* keys, const T* values,
                                          const T* next, int64_t count, int64_t dim,
                                          const AttentionSpec& spec, float* scores, float* mixed) {
  Products(query, keys, values, count, dim, scores);
  Softmax(scores, count, spec);
  Mix(scores, values, next, count, dim, mixed);
}

template <typename T>
const T* Data(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

// T holds the bits of the cache's type. Queries and the result are fp32.
template <typename T>
void AttendSlots(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::Tensor& keys,
                 at::Tensor& values, std::span<const int64_t> lengths, const AttentionSpec& spec,
                 at::Tensor& mixed) {
  const int64_t kv_heads = k.size(1), dim = k.size(2), group = q.size(1) / kv_heads;
  const int64_t capacity = keys.size(2);
  const auto* queries = Data<float>(q);
  const auto *new_keys = Data<T>(k), *new_values = Data<T>(v);
  auto* all_keys = static_cast<T*>(keys.mutable_data_ptr());
  auto* all_values = static_cast<T*>(values.mutable_data_ptr());
  auto* result = mixed.mutable_data_ptr<float>();
  at::parallel_for(0, q.size(0) * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores;
    for (int64_t i = begin; i < end; ++i) {  // slot i / kv_heads, head i % kv_heads
      const int64_t last = lengths[i / kv_heads];
      const int64_t first = spec.window ? std::max<int64_t>(0, last + 1 - *spec.window) : 0;
      const int64_t count = last + 1 - first;
      T* head_keys = all_keys + i * capacity * dim;
      T* head_values = all_values + i * capacity * dim;
      std::memcpy(head_keys + last * dim, new_keys + i * dim, dim * sizeof(T));
      std::memcpy(head_values + last * dim, new_values + i * dim, dim * sizeof(T));
      scores.resize(count);
      const T* next = i + 1 < end ? head_keys + capacity * dim : head_keys;
      WithBestInstructions([&]() GRIN_INLINE {
        for (int64_t g = i * group; g < (i + 1) * group; ++g) {
          Attend(queries + g * dim, head_keys + first * dim, head_values + first * dim, next, count,
                 dim, spec, scores.data(), result + g * dim);
        }
      });
    }
  });
}

}  // namespace

bool HasSlotAttention(at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16; }

at::Tensor SlotAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         at::Tensor& keys, at::Tensor& values, std::span<const int64_t> lengths,
                         const AttentionSpec& spec) {
  const at::ScalarType type = keys.scalar_type();
  if (!HasSlotAttention(type) || !keys.is_cpu() || !keys.is_contiguous() ||
      !values.is_contiguous() || k.scalar_type() != type || v.scalar_type() != type) {
    Defect("model", "slot attention was asked for over a cache that it does not take");
  }
  const at::Tensor queries = q.to(at::kFloat).contiguous();
  at::Tensor mixed = at::empty({q.size(0), q.size(1) * q.size(2)}, at::kFloat);
  if (type == at::kFloat) {
    AttendSlots<float>(queries, k.contiguous(), v.contiguous(), keys, values, lengths, spec, mixed);
  } else {
    AttendSlots<uint16_t>(queries, k.contiguous(), v.contiguous(), keys, values, lengths, spec,
                          mixed);
  }
  return mixed.to(q.scalar_type());
}

}  // namespace grin
