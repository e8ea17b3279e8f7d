#pragma once
// Where the weights of a mask lie: modules by layers.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grin/locate/mask.h"

namespace grin {

struct DensityCell {
  int64_t selected = 0, total = 0;
  double share() const {
    return total > 0 ? static_cast<double>(selected) / static_cast<double>(total) : 0;
  }
};

struct DensityGrid {
  std::vector<std::string> modules;                        // rows, "mlp.down_proj"
  std::vector<int64_t> layers;                             // columns, ascending
  std::map<std::pair<size_t, size_t>, DensityCell> cells;  // by row and column; some may be absent
  std::map<std::string, DensityCell> elsewhere;  // weights that belong to no layer, by name
  DensityCell all;
};

// A weight's layer is the first whole number in its name, its module what follows.
DensityGrid DensityOf(const Mask& mask);

}  // namespace grin
