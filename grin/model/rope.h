#pragma once
// Rotary position embeddings (Su et al. 2021) in the half-rotated layout of transformers.

#include <ATen/ATen.h>

#include "grin/model/config.h"

namespace grin {

// What turns the pairs of a head, after scaling.
struct Rope {
  at::Tensor frequencies;       // angle per position: fp32 [pairs]
  at::Tensor long_frequencies;  // the same for sequences of more than short_limit tokens; undefined
                                // where length does not matter
  int64_t short_limit = 0;
  double magnitude = 1.0;  // factor of cosine and sine
};

Rope MakeRope(const RopeConfig& config, at::Device device);

// Cosines and sines of positions, computed once per batch and used by every layer.
struct RopeTable {
  at::Tensor cosine, sine;  // fp32 [T, 1, pairs]
};

// positions [T]; lengths [T], the length of each row's sequence, is needed where
// long_frequencies are defined.
RopeTable MakeRopeTable(const Rope& rope, const at::Tensor& positions, const at::Tensor& lengths);

// Rotates the first 2 * pairs dimensions of x [T, heads, head_dim]; computed in fp32, returned in
// the type of x.
at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table);

}  // namespace grin
