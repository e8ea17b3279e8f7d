#include <fmt/format.h>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {

Markup ChangeChart(const std::string& id, const std::string& what, const std::string& css_class,
                   const std::vector<ChangePoint>& points) {
  constexpr double kWidth = 380, kHeight = 340;
  constexpr Margins kMargins;
  const Frame frame = {.width = kWidth,
                       .height = kHeight,
                       .x = Scale::Linear(0, 1, kMargins.left, kWidth - kMargins.right),
                       .y = Scale::Linear(0, 1, kHeight - kMargins.bottom, kMargins.top),
                       .x_label = "before",
                       .y_label = "after"};
  Markup content = DrawAxes(frame, kMargins);
  content += Line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "diagonal");
  double before = 0, after = 0;
  size_t fell = 0, rose = 0;
  for (const ChangePoint& point : points) {
    content += Tag("circle", {{"class", "dot " + css_class},
                              {"cx", Position(frame.x(point.before))},
                              {"cy", Position(frame.y(point.after))},
                              {"r", "3.6"},
                              {"data-tip", point.tip}});
    before += point.before / static_cast<double>(points.size());
    after += point.after / static_cast<double>(points.size());
    if (point.after < point.before - 0.1) ++fell;
    if (point.after > point.before + 0.1) ++rose;
  }
  return Drawing(id, what,
                 fmt::format("{} examples. Mean {} before, {} after. {} fell by more than 0.1, {} "
                             "rose by more than 0.1.",
                             points.size(), FormatFigure(before), FormatFigure(after), fell, rose),
                 kWidth, kHeight, content);
}

}  // namespace grin
