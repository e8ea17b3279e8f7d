#include "grin/report/density.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

namespace grin {
namespace {

struct MatrixPlace {
  int64_t layer = 0;
  std::string module;
};

// "model.layers.3.mlp.down_proj.weight" -> 3, "mlp.down_proj".
std::optional<MatrixPlace> PlaceOf(std::string_view name) {
  size_t begin = 0;
  while (begin < name.size()) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, dot - begin);
    int64_t layer = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), layer);
    if (error == std::errc() && end == part.data() + part.size()) {
      std::string_view module = name.substr(std::min(dot + 1, name.size()));
      if (module.ends_with(".weight")) module.remove_suffix(std::string_view(".weight").size());
      return MatrixPlace{layer, std::string(module)};
    }
    begin = dot + 1;
  }
  return std::nullopt;
}

}  // namespace

DensityGrid DensityOf(const Mask& mask) {
  DensityGrid grid;
  std::set<int64_t> layers;
  std::set<std::string> modules;
  for (const MaskTensor& tensor : mask.tensors()) {
    if (const auto place = PlaceOf(tensor.name)) {
      layers.insert(place->layer);
      modules.insert(place->module);
    }
  }
  grid.layers.assign(layers.begin(), layers.end());
  grid.modules.assign(modules.begin(), modules.end());
  for (const MaskTensor& tensor : mask.tensors()) {
    const auto place = PlaceOf(tensor.name);
    DensityCell& cell =
        place
            ? grid.cells[{
                  static_cast<size_t>(std::distance(modules.begin(), modules.find(place->module))),
                  static_cast<size_t>(std::distance(layers.begin(), layers.find(place->layer)))}]
            : grid.elsewhere[tensor.name];
    cell.selected += tensor.count;
    cell.total += tensor.size();
    grid.all.selected += tensor.count;
    grid.all.total += tensor.size();
  }
  return grid;
}

}  // namespace grin
