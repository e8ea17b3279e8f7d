#pragma once
// An arena of one weight, for tests.

#include "grin/tune/arena.h"

namespace grin {

// Of the entries of `weight` at these positions; undefined: all. Named "weight".
inline Arena ArenaOf(const at::Tensor& weight, const at::Tensor& indices,
                     at::ScalarType index_type = at::kInt) {
  Arena arena({{"weight", weight.numel(), indices.defined() ? indices.numel() : weight.numel()}},
              weight.device());
  MaskedParameter& parameter = arena.parameters[0];
  if (indices.defined()) parameter.indices = indices.to(weight.device(), index_type);
  ReadMasters(parameter, weight);
  return arena;
}

}  // namespace grin
