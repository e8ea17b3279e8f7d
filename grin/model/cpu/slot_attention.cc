#include "grin/model/cpu/slot_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "grin/base/error.h"
#include "grin/model/cpu/attention_kernels.h"

namespace grin {
namespace {

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
      for (int64_t g = i * group; g < (i + 1) * group; ++g) {
        AttendRows({.query = queries + g * dim,
                    .keys = head_keys + first * dim,
                    .values = head_values + first * dim,
                    .next = next,
                    .is_bfloat16 = sizeof(T) == 2,
                    .count = count,
                    .dim = dim,
                    .scale = static_cast<float>(spec.scale),
                    .cap = static_cast<float>(spec.softcap.value_or(0)),
                    .scores = scores.data(),
                    .mixed = result + g * dim});
      }
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
