#pragma once
// Attention of packed sequences on the CPU, in fp32, by the products of dot_products.h. What a
// sequence gets, and its gradients, are the same to the bit alone and among others, by one thread
// and by many: nothing that is computed for it depends on how many sequences, heads or threads
// there are.

#include <ATen/ATen.h>

#include "grin/model/config.h"
#include "grin/model/packed_batch.h"

namespace grin {

// q [T, heads, head_dim], k and v [T, kv_heads, head_dim], fp32 on the CPU -> [T, heads, head_dim].
// Each row sees the rows of its sequence up to itself, the last spec.window of them, without those
// that are hidden: `unseen` bool [T], or undefined. A row that would see nothing sees itself. Heads
// share key heads in order. Without spec.softcap. Recorded on the tape; the backward pass computes
// the scores again.
at::Tensor CpuAttention(const Segments& segments, const AttentionSpec& spec, const at::Tensor& q,
                        const at::Tensor& k, const at::Tensor& v, const at::Tensor& unseen);

}  // namespace grin
