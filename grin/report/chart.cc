#include "grin/report/chart.h"

#include <fmt/format.h>

#include "grin/report/figures.h"

namespace grin {

std::string Position(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

Markup Drawing(std::string_view id, std::string_view title, std::string_view description,
               double width, double height, const Markup& content) {
  const std::string text_id = fmt::format("{}-text", id);
  // No <title>: browsers would show it as a tooltip over everything inside.
  return Tag("svg",
             {{"xmlns", "http://www.w3.org/2000/svg"},
              {"viewBox", fmt::format("0 0 {} {}", Position(width), Position(height))},
              {"style", fmt::format("--chart-width:{}px", Position(width))},
              {"role", "img"},
              {"aria-label", std::string(title)},
              {"aria-describedby", text_id}},
             TextTag("desc", {{"id", text_id}}, description) + content);
}

Markup Line(double x1, double y1, double x2, double y2, const std::string& css_class) {
  return Tag("line", {{"class", css_class},
                      {"x1", Position(x1)},
                      {"y1", Position(y1)},
                      {"x2", Position(x2)},
                      {"y2", Position(y2)}});
}

Markup Label(double x, double y, const std::string& css_class, std::string_view text) {
  return TextTag("text", {{"class", css_class}, {"x", Position(x)}, {"y", Position(y)}}, text);
}

std::string Points(const std::vector<std::pair<double, double>>& positions) {
  std::string text;
  for (const auto& [x, y] : positions) {
    if (!text.empty()) text += ' ';
    text += Position(x) + "," + Position(y);
  }
  return text;
}

Markup DrawAxes(const Frame& frame, const Margins& margins) {
  const double left = margins.left, right = frame.width - margins.right;
  const double top = margins.top, bottom = frame.height - margins.bottom;
  Markup axes;
  for (const double tick : frame.y.Ticks(5)) {
    const double y = frame.y(tick);
    axes +=
        Line(left, y, right, y, "grid") + Label(left - 8, y + 3.5, "tick end", FormatTick(tick));
  }
  for (const double tick : frame.x.Ticks(6)) {
    const double x = frame.x(tick);
    axes += Line(x, bottom, x, bottom + 4, "axis") +
            Label(x, bottom + 16, "tick middle", FormatTick(tick));
  }
  axes += Line(left, bottom, right, bottom, "axis");
  axes += Label((left + right) / 2, frame.height - 6, "axis-label middle", frame.x_label);
  const double middle = (top + bottom) / 2;
  axes += Tag("text",
              {{"class", "axis-label middle"},
               {"transform", fmt::format("translate(12 {}) rotate(-90)", Position(middle))}},
              Text(frame.y_label));
  return axes;
}

Markup Legend(const std::vector<LegendKey>& keys, bool points) {
  Markup items;
  for (const LegendKey& key : keys) {
    const Markup swatch =
        Tag("svg", {{"class", "swatch"}, {"viewBox", "0 0 26 10"}, {"aria-hidden", "true"}},
            Line(1, 5, 25, 5, "line " + key.css_class) +
                Tag("circle",
                    {{"class", "dot " + key.css_class}, {"cx", "13"}, {"cy", "5"}, {"r", "3.5"}}));
    items += Tag("li", {}, swatch + Text(key.name));
  }
  return Tag("ul", {{"class", points ? "legend points" : "legend"}}, items);
}

}  // namespace grin
