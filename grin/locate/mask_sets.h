#pragma once
// Masks as sets: put together, and compared with what chance would give.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grin/locate/mask.h"

namespace grin {

struct MaskOperation {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  // Of eight entries of what was put together so far and of the next mask.
  uint8_t (*function)(uint8_t so_far, uint8_t next);
};

// union, intersect, subtract.
std::span<const MaskOperation> MaskOperations();

// The masks one after another. The result covers every weight that one of them covers; in one that a
// mask does not cover, that mask selects nothing. Error (bad input) when they have a weight in
// different shapes, naming it and the masks by `names`.
Mask CombineMasks(const MaskOperation& operation, std::span<const Mask> masks,
                  std::span<const std::string> names);

// How far two masks select the same entries, and how far they would by chance.
struct MaskOverlap {
  // Over entries that both masks cover.
  struct Counts {
    int64_t entries = 0;
    int64_t a = 0, b = 0, both = 0;

    // Of two random masks of these sizes: their common entries on average, and the standard deviation
    // of their number (the hypergeometric distribution's).
    double chance() const;
    double deviation() const;
    // both / (a + b - both); 0 where nothing is selected.
    double jaccard() const;
  };
  struct Part {
    std::string name;
    Counts counts;
  };

  Counts total;
  std::vector<Part> tensors;  // those that both cover, in the order of their names
  // What chance would give for random masks that select as many in each tensor as these do: the
  // overlap that comes from choosing the same tensors is in it.
  double chance_by_tensor = 0;
  int64_t a_elsewhere = 0, b_elsewhere = 0;  // selected in weights that the other does not cover
};

// Error (bad input) as above.
MaskOverlap OverlapOf(const Mask& a, const Mask& b, const std::string& name_a,
                      const std::string& name_b);

}  // namespace grin
