#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

constexpr double kCurveWidth = 380, kCurveHeight = 250;
constexpr Margins kCurveMargins;

struct Extent {
  double lo = std::numeric_limits<double>::infinity();
  double hi = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    lo = std::min(lo, value);
    hi = std::max(hi, value);
  }
};

Markup DrawCurve(const Curve& curve, const Frame& frame) {
  std::vector<std::pair<double, double>> positions;
  Markup dots;
  for (const auto& [step, value] : curve.points) {
    positions.emplace_back(frame.x(step), frame.y(value));
    if (!curve.dots) continue;
    dots += Tag("circle", {{"class", "dot " + curve.css_class},
                           {"cx", Position(positions.back().first)},
                           {"cy", Position(positions.back().second)},
                           {"r", "3.6"},
                           {"data-tip", fmt::format("{}, step {}: {}", curve.name,
                                                    FormatCount(step), FormatFigure(value))}});
  }
  return Tag("polyline", {{"class", "line " + curve.css_class}, {"points", Points(positions)}}) +
         dots;
}

}  // namespace

Markup CurveChart(const std::string& id, const std::vector<Curve>& curves,
                  const CurveOptions& options) {
  Extent steps, values;
  std::string description;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) {
      steps.Add(step);
      values.Add(value);
    }
    description += fmt::format(
        "{}: {} at step {}, {} at step {}. ", curve.name, FormatFigure(curve.points.front().second),
        FormatCount(curve.points.front().first), FormatFigure(curve.points.back().second),
        FormatCount(curve.points.back().first));
  }
  const double pad = (values.hi - values.lo) * 0.06;
  const Frame frame = {
      .width = kCurveWidth,
      .height = kCurveHeight,
      .x = Scale::Linear(steps.lo, steps.hi, kCurveMargins.left, kCurveWidth - kCurveMargins.right),
      .y = Scale::Linear(options.lo.value_or(values.lo - pad), options.hi.value_or(values.hi + pad),
                         kCurveHeight - kCurveMargins.bottom, kCurveMargins.top),
      .x_label = "step",
      .y_label = options.y_label};
  Markup content = DrawAxes(frame, kCurveMargins);
  if (options.kept_step) {
    const double x = frame.x(*options.kept_step);
    const bool right = x < kCurveWidth * 0.7;
    content += Line(x, kCurveMargins.top, x, kCurveHeight - kCurveMargins.bottom, "kept");
    content += Label(right ? x + 5 : x - 5, kCurveMargins.top + 10, right ? "note" : "note end",
                     fmt::format("kept: step {}", FormatCount(*options.kept_step)));
    description +=
        fmt::format("The state after step {} was kept.", FormatCount(*options.kept_step));
  }
  for (const Curve& curve : curves) content += DrawCurve(curve, frame);
  return Drawing(id, options.y_label + " by step", description, kCurveWidth, kCurveHeight, content);
}

}  // namespace grin
