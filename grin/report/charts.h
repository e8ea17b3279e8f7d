#pragma once
// The charts of the report. Each is one <svg> that stands alone, but for its colours (report.css).
// `id` is unique on the page. CSS classes name what a series is: "unlearned", "before", "never".

#include <optional>
#include <string>
#include <vector>

#include "grin/report/density.h"
#include "grin/report/markup.h"

namespace grin {

// Values of one model, with the class of its colour.
struct Sample {
  std::string name;
  std::string css_class;
  std::vector<double> values;
};

// Empirical distributions on a logarithmic axis: the share of values at or below each. The largest
// distance between the first sample and the one named `against` is marked. Values must be above 0;
// those beyond the middle 98 % of all may lie on the edge.
Markup EcdfChart(const std::string& id, const std::string& x_label,
                 const std::vector<Sample>& samples, const std::string& against);

// Where two distributions are farthest apart: at which value, and their shares up to there.
struct Gap {
  double at = 0, first = 0, second = 0;
  double distance() const { return first > second ? first - second : second - first; }
};
Gap LargestGap(std::vector<double> first, std::vector<double> second);

// One example: a value before and one after; `tip` is shown when it is pointed at.
struct ChangePoint {
  double before = 0, after = 0;
  std::string tip;
};

// Examples by their value before (x) and after (y), both 0 to 1; on the diagonal nothing changed.
Markup ChangeChart(const std::string& id, const std::string& what, const std::string& css_class,
                   const std::vector<ChangePoint>& points);

// Share of selected weights, modules by layers.
Markup DensityChart(const std::string& id, const DensityGrid& grid);

// Lines over the steps of training.
struct Curve {
  std::string name;
  std::string css_class;
  std::vector<std::pair<double, double>> points;  // (step, value), steps ascending
  bool dots = false;                              // few points, marked each
};
struct CurveOptions {
  std::string y_label;
  std::optional<double> lo, hi;     // of the y axis, where they are fixed
  std::optional<double> kept_step;  // marked by a vertical line
};
Markup CurveChart(const std::string& id, const std::vector<Curve>& curves,
                  const CurveOptions& options);

// One run in the plane of what was forgotten (y) and what was kept (x).
struct TradeOffPoint {
  double kept = 0, forgotten = 0;
  std::string label;
  std::string css_class;
};
struct TradeOffAxes {
  std::string kept_label, forgotten_label;
  bool log_forgotten = false;  // for p-values
};
Markup TradeOffChart(const std::string& id, const std::vector<TradeOffPoint>& points,
                     const TradeOffAxes& axes);

// Many settings of one method in such a plane.
struct FrontPoint {
  double kept = 0, forgotten = 0;
  std::string label;
};
struct FrontSeries {
  std::string name;
  std::string css_class;
  std::vector<FrontPoint> points;
};
struct FrontAxes {
  std::string kept_label, forgotten_label;
  bool log_forgotten = false;  // for p-values
  bool less_is_better = true;  // of `forgotten`; more of `kept` always is
};

// The places of those that no other point beats in both figures, by rising `kept`. Of equal ones the
// first.
std::vector<size_t> ParetoFront(const std::vector<FrontPoint>& points, bool less_is_better);

// A line through the front of each method; all other points are faint. `marks` are other models.
Markup FrontChart(const std::string& id, const std::vector<FrontSeries>& series,
                  const std::vector<TradeOffPoint>& marks, const FrontAxes& axes);

}  // namespace grin
