#pragma once
// Which weights differ between two checkpoints: the proof of locality.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>

#include "grin/io/checkpoint.h"
#include "grin/locate/mask.h"

namespace grin {

// Calls changed(position) for each element whose bits differ, in order. Both have the same size.
template <typename Changed>
void ForEachDifference(std::span<const std::byte> a, std::span<const std::byte> b,
                       int64_t element_size, Changed changed) {
  constexpr size_t kBlock = 4096;  // a multiple of every element size
  for (size_t begin = 0; begin < a.size(); begin += kBlock) {
    const size_t size = std::min(kBlock, a.size() - begin);
    if (std::memcmp(a.data() + begin, b.data() + begin, size) == 0) continue;
    for (size_t at = begin; at < begin + size; at += element_size) {
      if (std::memcmp(a.data() + at, b.data() + at, element_size) != 0) {
        changed(static_cast<int64_t>(at) / element_size);
      }
    }
  }
}

// Error (bad input) when names, shapes or types of the tensors differ.
void CheckSameTensors(const Checkpoint& a, const Checkpoint& b);

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
