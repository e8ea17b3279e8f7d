#pragma once
// Rotary position embeddings (Su et al. 2021) in the half-rotated layout of transformers.

#include <ATen/ATen.h>

#include "grin/model/config.h"

namespace grin {

// Angular frequency of each pair of a head, after scaling: fp32 [head_dim / 2].
at::Tensor RopeFrequencies(const ModelConfig& config);

// Cosines and sines of positions, computed once per batch and used by every layer.
struct RopeTable {
  at::Tensor cosine, sine;  // fp32 [T, 1, head_dim / 2]
};
RopeTable MakeRopeTable(const at::Tensor& frequencies, const at::Tensor& positions);

// Rotates x [T, heads, head_dim]; computed in fp32, returned in the type of x.
at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table);

}  // namespace grin
