#include "grin/report/density.h"

#include <algorithm>
#include <set>
#include <string>

#include "grin/model/tensor_names.h"

namespace grin {

DensityGrid DensityOf(const Mask& mask) {
  DensityGrid grid;
  std::set<int64_t> layers;
  std::set<std::string> modules;
  for (const MaskTensor& tensor : mask.tensors()) {
    const WeightPlace place = PlaceOfWeight(tensor.name);
    if (!place.layer) continue;
    layers.insert(*place.layer);
    modules.insert(place.module);
  }
  grid.layers.assign(layers.begin(), layers.end());
  grid.modules.assign(modules.begin(), modules.end());
  for (const MaskTensor& tensor : mask.tensors()) {
    const WeightPlace place = PlaceOfWeight(tensor.name);
    DensityCell& cell =
        place.layer
            ? grid.cells[{
                  static_cast<size_t>(std::distance(modules.begin(), modules.find(place.module))),
                  static_cast<size_t>(std::distance(layers.begin(), layers.find(*place.layer)))}]
            : grid.elsewhere[tensor.name];
    cell.selected += tensor.count;
    cell.total += tensor.size();
    grid.all.selected += tensor.count;
    grid.all.total += tensor.size();
  }
  return grid;
}

}  // namespace grin
