#pragma once
// One step of generation on the CPU: each slot of the key-value cache takes one new token, whose
// query reads the slot's own keys and no further. A batched product would read as far as the
// longest slot for all.

#include <ATen/ATen.h>

#include <span>

#include "grin/model/config.h"

namespace grin {

// Whether SlotAttention takes this type: fp32 and bf16.
bool HasSlotAttention(at::ScalarType type);

// For slot b in [0, B): stores k and v at position lengths[b] of keys and values, then attends over
// the positions up to it (spec.window of them at most). Sums and softmax are in fp32.
// q [B, heads, head_dim], k and v [B, kv_heads, head_dim]; keys and values [slots >= B, kv_heads,
// capacity, head_dim], contiguous; all of one type, on the CPU. Returns [B, heads * head_dim].
at::Tensor SlotAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         at::Tensor& keys, at::Tensor& values, std::span<const int64_t> lengths,
                         const AttentionSpec& spec);

}  // namespace grin
