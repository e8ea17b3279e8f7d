#pragma once
// Which weights differ between two checkpoints: the proof of locality.

#include <cstdint>
#include <map>
#include <string>

#include "grin/io/checkpoint.h"
#include "grin/locate/mask.h"

namespace grin {

struct Comparison {
  int64_t tensors = 0, weights = 0;  // compared
  int64_t changed = 0;               // elements whose bits differ
  std::map<std::string, int64_t> changed_by_tensor;  // only tensors with a change
  double max_abs = 0;                // largest difference of a float element
  int64_t outside_mask = 0;          // changed elements that `mask` does not select
};

// Compares every tensor bit by bit. Error (bad input) when names, shapes or types differ. `mask`
// may be null.
Comparison CompareCheckpoints(const Checkpoint& a, const Checkpoint& b, const Mask* mask);

}  // namespace grin
