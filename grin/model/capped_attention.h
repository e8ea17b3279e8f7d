#pragma once
// Attention whose scores are capped by a tanh (Gemma 2), which no fused kernel of LibTorch offers.

#include <ATen/ATen.h>

#include "grin/model/config.h"

namespace grin {

// q, k, v [count, heads, length, head_dim] -> the same shape. `seen` is a mask of SeenBy, for all or
// for each sequence. The backward pass computes the scores again, so that none are kept. `spec` has
// a softcap.
at::Tensor CappedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionSpec& spec, const at::Tensor& seen);

}  // namespace grin
