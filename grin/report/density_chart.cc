#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

constexpr int kSteps = 7;  // of the colour ramp, classes heat-0 to heat-6

std::string HeatClass(double share, double most) {
  const int step = most > 0 ? static_cast<int>(std::floor(share / most * kSteps)) : 0;
  return fmt::format("heat-{}", std::clamp(step, 0, kSteps - 1));
}

// The ramp with its ends named, right-aligned at `right`.
Markup Ramp(double right, double y, double most) {
  constexpr double kWidth = 16, kHeight = 9;
  const double left = right - 40 - kSteps * kWidth;
  Markup ramp = Label(left - 6, y + 8, "tick end", "0 %");
  for (int step = 0; step < kSteps; ++step) {
    ramp += Tag("rect", {{"class", fmt::format("cell heat-{}", step)},
                         {"x", Position(left + step * kWidth)},
                         {"y", Position(y)},
                         {"width", Position(kWidth)},
                         {"height", Position(kHeight)}});
  }
  return ramp + Label(left + kSteps * kWidth + 6, y + 8, "tick", FormatPercent(most));
}

}  // namespace

Markup DensityChart(const std::string& id, const DensityGrid& grid) {
  constexpr double kTop = 8, kRow = 24, kLeft = 150, kRight = 16;
  const auto columns = static_cast<double>(grid.layers.size());
  const auto rows = static_cast<double>(grid.modules.size());
  const double cell = std::clamp(640.0 / std::max(1.0, columns), 12.0, 34.0);
  const double width = std::max(kLeft + columns * cell + kRight, 420.0);
  const double bottom = kTop + rows * kRow;
  double most = 0;
  for (const auto& [place, density] : grid.cells) most = std::max(most, density.share());

  Markup content;
  for (size_t row = 0; row < grid.modules.size(); ++row) {
    content += Label(kLeft - 10, kTop + static_cast<double>(row) * kRow + kRow / 2 + 4, "tick end",
                     grid.modules[row]);
  }
  std::string description;
  const DensityCell* densest = nullptr;
  for (const auto& [place, density] : grid.cells) {
    const auto [row, column] = place;
    const std::string tip = fmt::format(
        "{}, layer {}: {} of {} ({})", grid.modules[row], grid.layers[column],
        FormatCount(static_cast<double>(density.selected)),
        FormatCount(static_cast<double>(density.total)), FormatPercent(density.share()));
    content += Tag("rect", {{"class", "cell " + HeatClass(density.share(), most)},
                            {"x", Position(kLeft + static_cast<double>(column) * cell)},
                            {"y", Position(kTop + static_cast<double>(row) * kRow)},
                            {"width", Position(cell - 1.5)},
                            {"height", Position(kRow - 1.5)},
                            {"rx", "2"},
                            {"data-tip", tip}});
    if (!densest || density.share() > densest->share()) {
      densest = &density;
      description = "Densest: " + tip + ".";
    }
  }
  const size_t every = grid.layers.size() > 16 ? 4 : 1;
  for (size_t column = 0; column < grid.layers.size(); column += every) {
    content += Label(kLeft + (static_cast<double>(column) + 0.5) * cell, bottom + 16, "tick middle",
                     std::to_string(grid.layers[column]));
  }
  content += Label(kLeft, bottom + 38, "axis-label", "layer");
  content += Ramp(width - kRight, bottom + 29, most);
  return Drawing(id, "Share of selected weights by module and layer",
                 fmt::format("{} modules in {} layers. {}", grid.modules.size(), grid.layers.size(),
                             description),
                 width, bottom + 46, content);
}

}  // namespace grin
