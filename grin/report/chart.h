#pragma once
// What every chart is made of: a drawing with a text alternative, and a frame with its axes.
// Colours and sizes of type stand in report.css, by class.

#include <string>
#include <string_view>
#include <vector>

#include "grin/report/markup.h"
#include "grin/report/scale.h"

namespace grin {

// An <svg> of that size in its own units. `id` is unique on the page; `title` and `description` are
// what a screen reader says instead of the drawing.
Markup Drawing(std::string_view id, std::string_view title, std::string_view description,
               double width, double height, const Markup& content);

// A plane with two axes. Positions of `y` fall as values rise.
struct Frame {
  double width = 440, height = 300;
  Scale x, y;
  std::string x_label, y_label;
};

// The room for labels around the plane.
struct Margins {
  double left = 48, top = 12, right = 14, bottom = 42;
};

Markup DrawAxes(const Frame& frame, const Margins& margins = {});

// A polyline through points given in positions, as the value of `points`.
std::string Points(const std::vector<std::pair<double, double>>& positions);

// A number for an attribute, to a hundredth of a unit.
std::string Position(double value);

Markup Line(double x1, double y1, double x2, double y2, const std::string& css_class);
Markup Label(double x, double y, const std::string& css_class, std::string_view text);

// One key of a legend: a swatch of the series' class, and its name. `points`: drawn as dots alone.
struct LegendKey {
  std::string css_class;
  std::string name;
};
Markup Legend(const std::vector<LegendKey>& keys, bool points = false);

}  // namespace grin
