#include "grin/report/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"
#include "grin/report/metric_info.h"
#include "grin/report/sections.h"
#include "grin/report/verdict.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

constexpr const char* kLeading[] = {"forget_keyword_accuracy",
                                    "forget_Q_A_Prob",
                                    "forget_Q_A_ROUGE",
                                    "forget_repetition",
                                    "relearn_keyword_accuracy",
                                    "leak_at_64",
                                    "forget_verbmem_ROUGE",
                                    "forget_knowmem_ROUGE",
                                    "wmdp_bio",
                                    "wmdp_cyber",
                                    "wmdp_chem",
                                    "forget_toxicity",
                                    "retain_keyword_accuracy",
                                    "retain_Q_A_Prob",
                                    "retain_Q_A_ROUGE",
                                    "retain_knowmem_ROUGE",
                                    "mmlu",
                                    "perplexity",
                                    "privleak"};

constexpr const char* kWmdpParts[] = {"wmdp_bio", "wmdp_cyber", "wmdp_chem"};
// Stands for the highest of those parts that all runs have.
constexpr std::string_view kHighestWmdp = "wmdp";

// Pairs of figures that a trade-off can be drawn by; the first that enough runs have is taken.
struct Plane {
  const char* kept;
  const char* forgotten;
  bool log;
  const char* caption;
};
constexpr const char* kHazard =
    "Down: less hazardous knowledge is left (guessing: 0.25). Right: more general knowledge.";
constexpr Plane kPlanes[] = {
    {"model_utility", "forget_quality", true,
     "Up: the truth ratios are harder to tell from those of a model that never saw the data "
     "(p-value, logarithmic). Right: more of the rest was kept."},
    {"model_utility", "forget_keyword_accuracy", false,
     "Down: fewer of the words that carry the facts are left. Right: more of the rest was kept."},
    {"retain_keyword_accuracy", "forget_keyword_accuracy", false,
     "Down: fewer of the words that carry the facts are left. Right: more of the rest was kept."},
    {"mmlu", "wmdp", false, kHazard},
    {"mmlu", "wmdp_bio", false, kHazard},
    {"mmlu", "wmdp_cyber", false, kHazard},
    {"mmlu", "wmdp_chem", false, kHazard},
    {"retain_knowmem_ROUGE", "forget_knowmem_ROUGE", false,
     "Down: less of the forget text is answered. Right: more of the retain text is."},
    {"retain_Q_A_Prob", "forget_Q_A_Prob", false,
     "Down: forgotten answers are less likely. Right: retained answers are more likely."}};

std::string LabelOf(const std::string& column) {
  for (const AggregateInfo& info : kAggregates) {
    if (info.name == column) return std::string(info.label);
  }
  return InfoOf(column).label;
}

// The parts of WMDP that every run has which has any.
std::vector<std::string> SharedWmdpParts(const Report& report) {
  const auto has = [](const ReportedRun& run, const char* part) {
    return FigureOf(run, part).has_value();
  };
  std::vector<const ReportedRun*> runs;
  for (const ReportedRun& run : report.runs) {
    if (std::ranges::any_of(kWmdpParts, [&](const char* part) { return has(run, part); })) {
      runs.push_back(&run);
    }
  }
  std::vector<std::string> parts;
  for (const char* part : kWmdpParts) {
    const bool shared =
        std::ranges::all_of(runs, [&](const ReportedRun* run) { return has(*run, part); });
    if (!runs.empty() && shared) parts.emplace_back(part);
  }
  return parts;
}

// The figures that the vertical axis of a plane shows the highest of; mostly one.
std::vector<std::string> ForgottenFigures(const Report& report, const Plane& plane) {
  if (plane.forgotten == kHighestWmdp) return SharedWmdpParts(report);
  return {plane.forgotten};
}

// Nothing where the run lacks one.
std::optional<double> HighestOf(const ReportedRun& run, const std::vector<std::string>& figures) {
  std::optional<double> highest;
  for (const std::string& figure : figures) {
    const auto value = FigureOf(run, figure);
    if (!value) return std::nullopt;
    highest = std::max(highest.value_or(*value), *value);
  }
  return highest;
}

std::string ForgottenLabel(const std::vector<std::string>& figures) {
  if (figures.size() == 1) return LabelOf(figures.front());
  std::string parts;
  for (const std::string& figure : figures) {
    parts += (parts.empty() ? "" : ", ") + figure.substr(kHighestWmdp.size() + 1);
  }
  return fmt::format("WMDP, accuracy, highest of {}", parts);
}

std::vector<TradeOffPoint> PointsIn(const Report& report, const Plane& plane,
                                    const std::vector<std::string>& figures) {
  std::vector<TradeOffPoint> points;
  for (const ReportedRun& run : report.runs) {
    const auto kept = FigureOf(run, plane.kept), forgotten = HighestOf(run, figures);
    if (kept && forgotten) points.push_back({*kept, *forgotten, run.name, "unlearned"});
  }
  return points;
}

// The yardsticks as points of the same plane.
void AddYardsticks(const Yardsticks& yardsticks, const Plane& plane,
                   const std::vector<std::string>& figures, std::vector<TradeOffPoint>& points) {
  const Json* const retain = yardsticks.retain.is_object() ? &yardsticks.retain : nullptr;
  const Json* const before = yardsticks.before.is_object() ? &yardsticks.before : nullptr;
  const auto add = [&](const Json* results, const char* label, const char* css_class) {
    if (!results) return;
    ReportedRun run{.name = label,
                    .results = *results,
                    .record = {},
                    .log = {},
                    .density = {},
                    .aggregates = Aggregate(*results, retain, before)};
    const auto kept = FigureOf(run, plane.kept), forgotten = HighestOf(run, figures);
    if (kept && forgotten) points.push_back({*kept, *forgotten, label, css_class});
  };
  add(before, "before", "before");
  add(retain, "never saw it", "never");
}

Section TradeOffSection(const Report& report) {
  Section section{
      .id = "trade-off", .title = "Forgotten against kept", .link = "Trade-off", .content = {}};
  for (const Plane& plane : kPlanes) {
    const std::vector<std::string> figures = ForgottenFigures(report, plane);
    std::vector<TradeOffPoint> points = PointsIn(report, plane, figures);
    if (points.size() < 2) continue;
    const size_t drawn = points.size();
    AddYardsticks(report.yardsticks, plane, figures, points);
    std::string caption = plane.caption;
    if (drawn < report.runs.size()) {
      caption += fmt::format(" {} of {} runs have both figures.", drawn, report.runs.size());
    }
    std::vector<LegendKey> keys = {{"unlearned", "runs"}};
    for (const TradeOffPoint& point : points) {
      if (point.css_class != "unlearned") keys.push_back({point.css_class, point.label});
    }
    section.content = Figure(TradeOffChart("trade-off-chart", points,
                                           {.kept_label = LabelOf(plane.kept),
                                            .forgotten_label = ForgottenLabel(figures),
                                            .log_forgotten = plane.log}),
                             Legend(keys, true), caption);
    return section;
  }
  return section;
}

Markup HeaderCell(const std::string& label, std::string_view arrow, std::string_view words,
                  bool numeric) {
  Markup inside = Text(label);
  if (!arrow.empty()) {
    inside += TextTag("span", {{"class", "arrow"}, {"aria-hidden", "true"}}, arrow) +
              TextTag("span", {{"class", "unseen"}}, fmt::format(", {}", words));
  }
  return Tag("th", {{"scope", "col"}, {"aria-sort", "none"}, {"class", numeric ? "number" : ""}},
             Tag("button", {{"type", "button"}}, inside));
}

Section TableSection(const Report& report) {
  const std::vector<ComparisonColumn> columns = ColumnsOf(report);
  Markup head = HeaderCell("Run", "", "", false);
  for (const ComparisonColumn& column : columns) {
    const Better better = !column.has_direction    ? Better::kUnknown
                          : column.lower_is_better ? Better::kLower
                                                   : Better::kHigher;
    head += HeaderCell(column.label, ArrowOf(better), InWords(better), true);
  }
  head += HeaderCell("In words", "", "", false);
  Markup rows;
  for (const ReportedRun& run : report.runs) {
    Markup cells = TextTag("th", {{"scope", "row"}}, run.name);
    for (const ComparisonColumn& column : columns) {
      const auto value = FigureOf(run, column.name);
      cells += value
                   ? TextTag("td", {{"class", "number"}, {"data-value", fmt::format("{}", *value)}},
                             FormatFigure(*value))
                   : TextTag("td", {{"class", "number none"}, {"data-value", ""}}, "–");
    }
    cells += TextTag("td", {{"class", "words"}}, VerdictOf(run, report.yardsticks).headline);
    rows += Tag("tr", {}, cells);
  }
  const Markup filter =
      Tag("p", {{"class", "filter"}},
          TextTag("label", {{"for", "filter"}}, "Show runs whose line holds ") +
              Tag("input", {{"id", "filter"},
                            {"type", "search"},
                            {"autocomplete", "off"},
                            {"data-table", "runs"}}) +
              TextTag("output", {{"id", "shown"}, {"for", "filter"}, {"aria-live", "polite"}},
                      fmt::format("{} runs", report.runs.size())));
  Section section{.id = "table", .title = "All runs", .link = "Runs", .content = {}};
  section.content =
      filter + Tag("div",
                   {{"class", "scroll"},
                    {"tabindex", "0"},
                    {"role", "region"},
                    {"aria-label", "Table of runs"}},
                   Tag("table", {{"class", "runs sortable"}, {"id", "runs"}},
                       TextTag("caption", {}, "A column's name sorts by it") +
                           Tag("thead", {}, Tag("tr", {}, head)) + Tag("tbody", {}, rows)));
  return section;
}

}  // namespace

std::optional<double> FigureOf(const ReportedRun& run, const std::string& column) {
  if (!run.evaluated()) return std::nullopt;
  for (const AggregateInfo& info : kAggregates) {
    if (info.name == column) return (run.aggregates.*info.measure).value;
  }
  return AggregateOf(run.results, column);
}

std::vector<ComparisonColumn> ColumnsOf(const Report& report) {
  std::vector<ComparisonColumn> columns;
  const auto measured = [&](const std::string& name) {
    return std::ranges::any_of(
        report.runs, [&](const ReportedRun& run) { return FigureOf(run, name).has_value(); });
  };
  for (const AggregateInfo& info : kAggregates) {
    if (measured(std::string(info.name))) {
      columns.push_back({std::string(info.name), std::string(info.label), info.lower_is_better});
    }
  }
  for (const char* metric : kLeading) {
    if (!measured(metric)) continue;
    const MetricInfo info = InfoOf(metric);
    columns.push_back({metric, info.label, info.better == Better::kLower,
                       info.better == Better::kLower || info.better == Better::kHigher});
  }
  return columns;
}

Markup ComparisonPage(const Report& report, Markup& links) {
  const auto name = [](const Json& results) {
    return results.is_object() ? FileNameOf(results) : std::string("not given");
  };
  Markup body =
      Tag("section", {{"class", "verdict"}, {"aria-labelledby", "verdict"}},
          TextTag("p", {{"class", "eyebrow"}}, "comparison") +
              TextTag("h1", {{"id", "verdict"}},
                      fmt::format("{} runs side by side", report.runs.size())) +
              TextTag("p", {{"class", "against"}},
                      fmt::format("Before unlearning: {}. Never saw the forget set: {}.",
                                  name(report.yardsticks.before), name(report.yardsticks.retain))));
  for (const ReportedRun& run : report.runs) {
    if (run.aggregates.other_questions.empty()) continue;
    body += Paragraph(fmt::format("Caution: forget quality of {} is {}.", run.name,
                                  run.aggregates.other_questions));
  }
  for (const Section& section : {TradeOffSection(report), TableSection(report)}) {
    if (section.empty()) continue;
    body += Render(section);
    links += Tag("li", {}, TextTag("a", {{"href", "#" + section.id}}, section.link));
  }
  return body;
}

}  // namespace grin
