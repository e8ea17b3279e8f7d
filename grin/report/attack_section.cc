// Does it stay forgotten? What grin attack found on the model, on the one before and on one that
// was never taught.

#include <fmt/format.h>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"
#include "grin/report/sections.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

// The metrics of grin attack, in the file's order.
std::vector<std::string> AttackMetrics(const ReportedRun& run) {
  std::vector<std::string> names;
  if (!run.evaluated()) return names;
  for (const std::string& name : MetricNames(run.results)) {
    if (IsAttackMetric(run.results[name])) names.push_back(name);
  }
  return names;
}

Markup AttackNumber(const Json& metric, const char* key, std::string_view css_class = "") {
  const auto value = NumberOf(metric, key);
  const std::string classes = "number " + std::string(css_class);
  return value ? TextTag("td", {{"class", classes}}, FormatFigure(*value))
               : TextTag("td", {{"class", classes + " none"}}, "–");
}

std::string AttackRange(const Json& metric) {
  const auto found = metric.find("interval");
  if (found == metric.end() || !found->is_array() || found->size() != 2 ||
      !(*found)[0].is_number() || !(*found)[1].is_number()) {
    return {};
  }
  return FormatFigure((*found)[0].get<double>()) + " – " + FormatFigure((*found)[1].get<double>());
}

// The share of what was forgotten that a figure brings out, as a number behind a bar.
Markup CameBackCell(const Json& metric) {
  const auto share = NumberOf(metric, "came_back");
  if (!share) return TextTag("td", {{"class", "number none"}}, "–");
  return Tag(
      "td", {{"class", "number share"}},
      Tag("span", {{"class", "track"}, {"aria-hidden", "true"}},
          Tag("span", {{"class", "fill"}, {"style", fmt::format("width:{:.0f}%", 100 * *share)}})) +
          TextTag("span", {}, fmt::format("{:.0f} %", 100 * *share)));
}

constexpr int kAttackColumns = 7;

Markup AttackHead() {
  const auto head = [](std::string_view text, std::string_view css_class) {
    return TextTag("th", {{"scope", "col"}, {"class", std::string(css_class)}}, text);
  };
  return Tag("thead", {},
             Tag("tr", {},
                 head("Figure", "") + head("This model", "number") +
                     head("95 % interval", "number spread") + head("Before", "number") +
                     head("Never taught", "number") + head("Came back", "number") +
                     head("Robustness", "number")));
}

Markup AttackRow(const std::string& name, const Json& metric) {
  const std::string why = StringOr(metric, "not_measured", "");
  return Tag(
      "tr", {},
      Tag("th", {{"scope", "row"}},
          Text(StringOr(metric, "label", name)) +
              (why.empty() ? Markup()
                           : TextTag("span", {{"class", "note-line"}}, "not measured: " + why))) +
          AttackNumber(metric, "agg_value", "here") +
          TextTag("td", {{"class", "number quiet spread"}}, AttackRange(metric)) +
          AttackNumber(metric, "before") + AttackNumber(metric, "reference") +
          CameBackCell(metric) + AttackNumber(metric, "robustness"));
}

Markup AttackTable(const ReportedRun& run, const std::vector<std::string>& names) {
  Markup bodies, rows;
  std::string group;
  const auto close = [&] {
    if (!rows.empty()) bodies += Tag("tbody", {}, rows);
    rows = {};
  };
  for (const std::string& name : names) {
    const Json& metric = run.results[name];
    if (const std::string attack = StringOr(metric, "attack", ""); attack != group) {
      close();
      group = attack;
      rows +=
          Tag("tr", {{"class", "group"}},
              TextTag("th", {{"scope", "rowgroup"}, {"colspan", std::to_string(kAttackColumns)}},
                      group == "plain" ? "Asked plainly" : "Attack: " + group));
    }
    rows += AttackRow(name, metric);
  }
  close();
  return Tag("div",
             {{"class", "scroll"},
              {"tabindex", "0"},
              {"role", "region"},
              {"aria-label", "What attacks bring out"}},
             Tag("table", {{"class", "metrics attacks"}},
                 TextTag("caption", {}, "What attacks bring out") + AttackHead() + bodies));
}

// The curve of one model, by the key of its values. Empty where nothing was measured.
Curve AttackCurve(const Json& points, const char* key, const char* name, const char* css_class) {
  Curve curve{.name = name, .css_class = css_class, .points = {}, .dots = true};
  for (const Json& point : points) {
    const auto step = NumberOf(point, "step"), value = NumberOf(point, key);
    if (step && value) curve.points.emplace_back(*step, *value);
  }
  return curve;
}

Markup AttackCurves(const ReportedRun& run, const std::vector<std::string>& names) {
  Markup charts;
  for (const std::string& name : names) {
    const Json& metric = run.results[name];
    const auto points = metric.find("curve");
    if (points == metric.end() || !points->is_array()) continue;
    std::vector<Curve> curves;
    for (Curve& curve :
         std::vector<Curve>{AttackCurve(*points, "agg_value", "this model", "unlearned"),
                            AttackCurve(*points, "before", "before", "before"),
                            AttackCurve(*points, "reference", "never taught", "never")}) {
      if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    if (curves.empty()) continue;
    charts += Tag("div", {{"class", "chart"}},
                  TextTag("p", {{"class", "chart-title"}}, StringOr(metric, "label", name)) +
                      CurveChart("attack-" + name, curves,
                                 {.y_label = "keyword accuracy", .lo = 0.0, .hi = 1.0}));
  }
  if (charts.empty()) return {};
  return Figure(
      charts,
      Legend({{"unlearned", "this model"}, {"before", "before"}, {"never", "never taught"}}),
      "Keyword accuracy on forget records that fine-tuning was not shown, by its steps. A "
      "model that has forgotten rises no faster than one that was never taught.");
}

}  // namespace

bool IsAttackMetric(const Json& metric) {
  return metric.is_object() && !StringOr(metric, "attack", "").empty();
}

const Json* AttackVerdictOf(const Json& results) {
  if (!results.is_object()) return nullptr;
  for (const Json* source : SourcesOf(results)) {
    const auto verdict = source->find("verdict");
    if (verdict != source->end() && verdict->is_object()) return &*verdict;
  }
  return nullptr;
}

Section AttackSection(const ReportedRun& run) {
  Section section{
      .id = "attacks", .title = "Does it stay forgotten?", .link = "Attacks", .content = {}};
  const std::vector<std::string> names = AttackMetrics(run);
  if (names.empty()) return section;
  if (const Json* verdict = AttackVerdictOf(run.results)) {
    section.content += Paragraph(StringOr(*verdict, "headline", ""));
  }
  section.content += AttackTable(run, names) + AttackCurves(run, names);
  section.content += Paragraph(
      "Came back: of what was forgotten, the share that a figure brings out; 0 % stands where the "
      "never-taught model does, 100 % where the model before does. Robustness looks at the gain "
      "alone: a model that knows all before an attack gains nothing by it.");
  return section;
}

}  // namespace grin
