#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

constexpr double kTradeOffWidth = 640, kTradeOffHeight = 400;
constexpr Margins kTradeOffMargins = {.left = 56, .right = 24};

// Down to the smallest p-value that is worth telling from others.
constexpr double kLeastP = 1e-20;

// The extent of the values within 0..1 where they lie there, with some air.
Scale Around(std::vector<double> values, double from, double to) {
  const auto [lo, hi] = std::ranges::minmax(values);
  const double pad = std::max((hi - lo) * 0.12, 0.02);
  const double low = lo >= 0 ? std::max(0.0, lo - pad) : lo - pad;
  const double high = hi <= 1 ? std::min(1.0, hi + pad) : hi + pad;
  return Scale::Linear(low, high, from, to);
}

// About how wide a label is.
double WidthOf(const std::string& text) { return 6.0 * static_cast<double>(text.size()); }

// The room that labels have taken. One that would lie over another is left out: the tip and the
// table name every point.
class LabelRoom {
 public:
  bool Take(double left, double y, const std::string& text) {
    constexpr double kLabelHeight = 12.0;
    const Rectangle wanted = {left, left + WidthOf(text), y - kLabelHeight, y};
    for (const Rectangle& taken : taken_) {
      if (wanted.left < taken.right && taken.left < wanted.right && wanted.top < taken.bottom &&
          taken.top < wanted.bottom) {
        return false;
      }
    }
    taken_.push_back(wanted);
    return true;
  }

 private:
  struct Rectangle {
    double left, right, top, bottom;
  };
  std::vector<Rectangle> taken_;
};

}  // namespace

Markup TradeOffChart(const std::string& id, const std::vector<TradeOffPoint>& points,
                     const TradeOffAxes& axes) {
  std::vector<double> kept, forgotten;
  for (const TradeOffPoint& point : points) {
    kept.push_back(point.kept);
    forgotten.push_back(point.forgotten);
  }
  const double bottom = kTradeOffHeight - kTradeOffMargins.bottom;
  const double least = std::clamp(std::ranges::min(forgotten) / 3, kLeastP, 1e-2);
  const Frame frame = {.width = kTradeOffWidth,
                       .height = kTradeOffHeight,
                       .x = Around(kept, kTradeOffMargins.left, kTradeOffWidth - kTradeOffMargins.right),
                       .y = axes.log_forgotten ? Scale::Log(least, 1, bottom, kTradeOffMargins.top)
                                               : Around(forgotten, bottom, kTradeOffMargins.top),
                       .x_label = axes.kept_label,
                       .y_label = axes.forgotten_label};
  Markup content = DrawAxes(frame, kTradeOffMargins);
  std::string description;
  LabelRoom labels;
  for (const TradeOffPoint& point : points) {
    const double x = frame.x(point.kept), y = frame.y(point.forgotten);
    const std::string tip =
        fmt::format("{}: {} {}, {} {}", point.label, axes.kept_label, FormatFigure(point.kept),
                    axes.forgotten_label, FormatFigure(point.forgotten));
    const bool right = x < kTradeOffWidth * 0.75;
    content += Tag("circle", {{"class", "dot big " + point.css_class},
                              {"cx", Position(x)},
                              {"cy", Position(y)},
                              {"r", "6"},
                              {"data-tip", tip}});
    if (labels.Take(right ? x + 10 : x - 10 - WidthOf(point.label), y + 4, point.label)) {
      content += Label(right ? x + 10 : x - 10, y + 4, right ? "point-label" : "point-label end",
                       point.label);
    }
    description += tip + ". ";
  }
  return Drawing(id, "What was forgotten against what was kept", description, kTradeOffWidth, kTradeOffHeight,
                 content);
}

}  // namespace grin
