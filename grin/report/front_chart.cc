#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

constexpr double kFrontWidth = 440, kFrontHeight = 340;
constexpr Margins kFrontMargins = {.left = 52, .right = 16};

// Down to the smallest p-value that is worth telling from others.
constexpr double kLeastFrontP = 1e-20;

// The extent of values with some air; within 0..1 where they lie there.
Scale FrontScale(const std::vector<double>& values, double from, double to) {
  const auto [lo, hi] = std::ranges::minmax(values);
  const double pad = std::max((hi - lo) * 0.08, 0.02);
  const double low = lo >= 0 ? std::max(0.0, lo - pad) : lo - pad;
  const double high = hi <= 1 ? std::min(1.0, hi + pad) : hi + pad;
  return Scale::Linear(low, high, from, to);
}

Markup Dot(const std::string& css_class, double x, double y, const char* radius,
           const std::string& tip) {
  return Tag("circle", {{"class", css_class},
                        {"cx", Position(x)},
                        {"cy", Position(y)},
                        {"r", radius},
                        {"data-tip", tip}});
}

}  // namespace

std::vector<size_t> ParetoFront(const std::vector<FrontPoint>& points, bool less_is_better) {
  std::vector<size_t> order(points.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto left = [&](size_t i) {
    return less_is_better ? points[i].forgotten : -points[i].forgotten;
  };
  // From the most that is kept down; a point is on the front where less is left than of all that
  // keep as much.
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    return points[a].kept != points[b].kept ? points[a].kept > points[b].kept : left(a) < left(b);
  });
  std::vector<size_t> front;
  for (const size_t i : order) {
    if (front.empty() || left(i) < left(front.back())) front.push_back(i);
  }
  std::ranges::reverse(front);
  return front;
}

Markup FrontChart(const std::string& id, const std::vector<FrontSeries>& series,
                  const std::vector<TradeOffPoint>& marks, const FrontAxes& axes) {
  std::vector<double> kept, forgotten;
  for (const FrontSeries& one : series) {
    for (const FrontPoint& point : one.points) {
      kept.push_back(point.kept);
      forgotten.push_back(point.forgotten);
    }
  }
  for (const TradeOffPoint& mark : marks) {
    kept.push_back(mark.kept);
    forgotten.push_back(mark.forgotten);
  }
  const double bottom = kFrontHeight - kFrontMargins.bottom;
  const double least = std::clamp(std::ranges::min(forgotten) / 3, kLeastFrontP, 1e-2);
  const Frame frame = {.width = kFrontWidth,
                       .height = kFrontHeight,
                       .x = FrontScale(kept, kFrontMargins.left, kFrontWidth - kFrontMargins.right),
                       .y = axes.log_forgotten ? Scale::Log(least, 1, bottom, kFrontMargins.top)
                                               : FrontScale(forgotten, bottom, kFrontMargins.top),
                       .x_label = axes.kept_label,
                       .y_label = axes.forgotten_label};
  Markup content = DrawAxes(frame, kFrontMargins), lines;
  std::string description;
  for (const FrontSeries& one : series) {
    const std::vector<size_t> front = ParetoFront(one.points, axes.less_is_better);
    std::vector<std::pair<double, double>> positions;
    for (size_t i = 0; i < one.points.size(); ++i) {
      const FrontPoint& point = one.points[i];
      const bool on_front = std::ranges::find(front, i) != front.end();
      const std::string tip =
          fmt::format("{}: {} {}, {} {}", point.label, axes.kept_label, FormatFigure(point.kept),
                      axes.forgotten_label, FormatFigure(point.forgotten));
      content += Dot(fmt::format("dot {} {}", on_front ? "front" : "faint", one.css_class),
                     frame.x(point.kept), frame.y(point.forgotten), on_front ? "4.2" : "3", tip);
      if (on_front) description += tip + ". ";
    }
    for (const size_t i : front) {
      positions.emplace_back(frame.x(one.points[i].kept), frame.y(one.points[i].forgotten));
    }
    lines += Tag("polyline", {{"class", "line " + one.css_class}, {"points", Points(positions)}});
  }
  content += lines;
  for (const TradeOffPoint& mark : marks) {
    const double x = frame.x(mark.kept), y = frame.y(mark.forgotten);
    const std::string tip =
        fmt::format("{}: {} {}, {} {}", mark.label, axes.kept_label, FormatFigure(mark.kept),
                    axes.forgotten_label, FormatFigure(mark.forgotten));
    content += Dot("dot big " + mark.css_class, x, y, "6", tip);
    const bool right = x < kFrontWidth * 0.7;
    content += Label(right ? x + 10 : x - 10, y + 4, right ? "point-label" : "point-label end",
                     mark.label);
    description += tip + ". ";
  }
  return Drawing(id, axes.forgotten_label + " against " + axes.kept_label, description, kFrontWidth,
                 kFrontHeight, content);
}

}  // namespace grin
