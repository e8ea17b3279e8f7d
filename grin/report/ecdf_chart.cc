#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

constexpr double kEcdfWidth = 560, kEcdfHeight = 330;
constexpr Margins kEcdfMargins;

// The middle 98 % of all values, made a little wider.
std::pair<double, double> DomainOf(const std::vector<Sample>& samples) {
  std::vector<double> all;
  for (const Sample& sample : samples) {
    for (const double value : sample.values) {
      if (value > 0 && std::isfinite(value)) all.push_back(value);
    }
  }
  if (all.empty()) return {0.1, 10};
  std::ranges::sort(all);
  const auto at = [&](double share) {
    return all[static_cast<size_t>(share * static_cast<double>(all.size() - 1))];
  };
  return {at(0.01) / 1.15, at(0.99) * 1.15};
}

// A staircase that starts at 0 on the left edge and ends at 1 on the right one.
std::string Staircase(std::vector<double> values, const Scale& x, const Scale& y) {
  std::ranges::sort(values);
  std::vector<std::pair<double, double>> positions = {{x.from(), y(0)}};
  const auto count = static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    positions.emplace_back(x(values[i]), y(static_cast<double>(i) / count));
    positions.emplace_back(x(values[i]), y(static_cast<double>(i + 1) / count));
  }
  positions.emplace_back(x.to(), y(1));
  return Points(positions);
}

Markup MarkGap(const Gap& gap, const Scale& x, const Scale& y) {
  const double at = x(gap.at), top = y(std::max(gap.first, gap.second)),
               bottom = y(std::min(gap.first, gap.second));
  const bool right = at < (x.from() + x.to()) / 2;
  return Line(at, top, at, bottom, "gap") + Line(at - 4, top, at + 4, top, "gap") +
         Line(at - 4, bottom, at + 4, bottom, "gap") +
         Label(right ? at + 8 : at - 8, (top + bottom) / 2 + 4, right ? "note" : "note end",
               fmt::format("D = {:.3f}", gap.distance()));
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

Gap LargestGap(std::vector<double> first, std::vector<double> second) {
  std::ranges::sort(first);
  std::ranges::sort(second);
  Gap gap;
  size_t i = 0, j = 0;
  while (i < first.size() || j < second.size()) {
    const double at =
        j == second.size() || (i < first.size() && first[i] <= second[j]) ? first[i] : second[j];
    while (i < first.size() && first[i] <= at) ++i;
    while (j < second.size() && second[j] <= at) ++j;
    const Gap here = {at, static_cast<double>(i) / static_cast<double>(first.size()),
                      static_cast<double>(j) / static_cast<double>(second.size())};
    if (here.distance() > gap.distance()) gap = here;
  }
  return gap;
}

Markup EcdfChart(const std::string& id, const std::string& x_label,
                 const std::vector<Sample>& samples, const std::string& against) {
  const auto [lo, hi] = DomainOf(samples);
  const Frame frame = {.width = kEcdfWidth,
                       .height = kEcdfHeight,
                       .x = Scale::Log(lo, hi, kEcdfMargins.left, kEcdfWidth - kEcdfMargins.right),
                       .y = Scale::Linear(0, 1, kEcdfHeight - kEcdfMargins.bottom, kEcdfMargins.top),
                       .x_label = x_label,
                       .y_label = "share of examples up to here"};
  Markup content = DrawAxes(frame, kEcdfMargins);
  std::string description;
  // The first sample lies on top.
  for (auto sample = samples.rbegin(); sample != samples.rend(); ++sample) {
    content += Tag("polyline", {{"class", "line " + sample->css_class},
                                {"points", Staircase(sample->values, frame.x, frame.y)}});
  }
  for (const Sample& sample : samples) {
    description += fmt::format("{}: {} examples, median {}. ", sample.name, sample.values.size(),
                               FormatFigure(Median(sample.values)));
  }
  for (const Sample& sample : samples) {
    if (sample.name != against) continue;
    const Gap gap = LargestGap(samples.front().values, sample.values);
    content += MarkGap(gap, frame.x, frame.y);
    description +=
        fmt::format("Largest distance {:.3f}, at {}.", gap.distance(), FormatFigure(gap.at));
  }
  return Drawing(id, "Distributions of the " + x_label, description, kEcdfWidth, kEcdfHeight, content);
}

}  // namespace grin
