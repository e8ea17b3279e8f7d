#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "grin/report/figures.h"
#include "grin/report/metric_info.h"
#include "grin/report/sections.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

using Value = std::optional<double>;

Value MetricValue(const Json& results, std::string_view metric) {
  return results.is_object() ? AggregateOf(results, metric) : std::nullopt;
}

Markup Cell(const Value& value, std::string_view css_class) {
  const std::string classes = "number " + std::string(css_class);
  return value ? TextTag("td", {{"class", classes}}, FormatFigure(*value))
               : TextTag("td", {{"class", classes + " none"}}, "–");
}

// Of a normal distribution, 95 % lie within so many standard errors.
constexpr double kErrorsOf95 = 1.96;

// The 95 % interval of a metric, "0.010 – 0.050", or "± 0.025" from its standard error; empty where
// it has neither.
std::string IntervalOf(const Json& results, const std::string& metric) {
  const auto found = results.find(metric);
  if (found == results.end()) return {};
  const auto interval = found->find("interval");
  if (interval != found->end() && interval->is_array() && interval->size() == 2 &&
      (*interval)[0].is_number() && (*interval)[1].is_number()) {
    return FormatFigure((*interval)[0].get<double>()) + " – " +
           FormatFigure((*interval)[1].get<double>());
  }
  const auto error = found->find("stderr");
  return error != found->end() && error->is_number()
             ? "± " + FormatFigure(kErrorsOf95 * error->get<double>())
             : std::string();
}

Markup DirectionCell(Better better) {
  return Tag("td", {{"class", "direction"}},
             TextTag("span", {{"aria-hidden", "true"}, {"title", std::string(InWords(better))}},
                     ArrowOf(better)) +
                 TextTag("span", {{"class", "unseen"}}, InWords(better)));
}

struct Columns {
  bool before, never, spread;
};

Markup HeadRow(const Columns& columns) {
  const auto head = [](std::string_view text, std::string_view css_class) {
    return TextTag("th", {{"scope", "col"}, {"class", std::string(css_class)}}, text);
  };
  return Tag("tr", {},
             head("Figure", "") + head("Better", "direction") + head("This run", "number") +
                 (columns.spread ? head("95 % interval", "number spread") : Markup()) +
                 (columns.before ? head("Before", "number") : Markup()) +
                 (columns.never ? head("Never saw it", "number") : Markup()));
}

Markup GroupRow(std::string_view title, const Columns& columns) {
  const int span = 3 + columns.spread + columns.before + columns.never;
  return Tag("tr", {{"class", "group"}},
             TextTag("th", {{"scope", "rowgroup"}, {"colspan", std::to_string(span)}}, title));
}

struct Row {
  std::string label, note;
  Better better = Better::kUnknown;
  Value here, before, never;
  std::string spread;
};

Markup DrawRow(const Row& row, const Columns& columns) {
  return Tag(
      "tr", {},
      Tag("th", {{"scope", "row"}},
          Text(row.label) +
              (row.note.empty() ? Markup() : TextTag("span", {{"class", "note-line"}}, row.note))) +
          DirectionCell(row.better) + Cell(row.here, "here") +
          (columns.spread ? TextTag("td", {{"class", "number quiet spread"}}, row.spread) : Markup()) +
          (columns.before ? Cell(row.before, "") : Markup()) +
          (columns.never ? Cell(row.never, "") : Markup()));
}

Markup DrawTable(std::string_view caption, const Markup& bodies, const Columns& columns) {
  return Tag("div",
             {{"class", "scroll"},
              {"tabindex", "0"},
              {"role", "region"},
              {"aria-label", std::string(caption)}},
             Tag("table", {{"class", "metrics"}},
                 TextTag("caption", {}, caption) + Tag("thead", {}, HeadRow(columns)) + bodies));
}

Markup AggregateRows(const ReportedRun& run, const Yardsticks& yardsticks, const Columns& columns) {
  const Json* const retain = yardsticks.retain.is_object() ? &yardsticks.retain : nullptr;
  const Json* const before = yardsticks.before.is_object() ? &yardsticks.before : nullptr;
  const Aggregates then = before ? Aggregate(*before, retain, before) : Aggregates{};
  const Aggregates never = retain ? Aggregate(*retain, retain, before) : Aggregates{};
  Markup rows = GroupRow("Summary figures", columns);
  for (const AggregateInfo& info : kAggregates) {
    const Measure& measure = run.aggregates.*info.measure;
    rows += DrawRow({.label = std::string(info.label),
                     .note = measure ? std::string() : "not measured: " + measure.why,
                     .better = info.lower_is_better ? Better::kLower : Better::kHigher,
                     .here = measure.value,
                     .before = (then.*info.measure).value,
                     .never = (never.*info.measure).value,
                     .spread = {}},
                    columns);
  }
  return Tag("tbody", {}, rows);
}

bool IsSubject(const std::string& metric) { return metric.starts_with("mmlu_"); }

}  // namespace

Section MetricsSection(const ReportedRun& run, const Yardsticks& yardsticks) {
  Section section{.id = "metrics", .title = "All figures", .link = "Figures", .content = {}};
  if (!run.evaluated()) return section;
  Columns columns = {yardsticks.before.is_object(), yardsticks.retain.is_object(), false};
  std::map<MetricGroup, std::vector<std::string>> groups;
  std::vector<std::string> subjects;
  std::set<std::string> aggregated;
  for (const AggregateInfo& info : kAggregates) aggregated.emplace(info.name);
  bool any = false;
  for (const std::string& metric : MetricNames(run.results)) {
    if (IsAttackMetric(run.results[metric])) continue;
    any = true;
    if (!IntervalOf(run.results, metric).empty()) columns.spread = true;
    if (aggregated.contains(metric)) continue;
    if (IsSubject(metric)) {
      subjects.push_back(metric);
    } else {
      groups[InfoOf(metric).group].push_back(metric);
    }
  }
  if (!any) return section;
  const auto row = [&](const std::string& metric) {
    const MetricInfo info = InfoOf(metric);
    const Value here = MetricValue(run.results, metric);
    return DrawRow(
        {.label = info.label,
         .note = here ? std::string() : "not measured: " + WhyNotMeasured(run.results, metric),
         .better = info.better,
         .here = here,
         .before = MetricValue(yardsticks.before, metric),
         .never = MetricValue(yardsticks.retain, metric),
         .spread = IntervalOf(run.results, metric)},
        columns);
  };
  Markup bodies = AggregateRows(run, yardsticks, columns);
  for (auto& [group, metrics] : groups) {
    std::ranges::stable_sort(metrics, {}, [](const std::string& m) { return InfoOf(m).rank; });
    Markup rows = GroupRow(GroupTitle(group), columns);
    for (const std::string& metric : metrics) rows += row(metric);
    bodies += Tag("tbody", {}, rows);
  }
  section.content = DrawTable("Every figure of this run", bodies, columns);
  if (!subjects.empty()) {
    Markup rows;
    for (const std::string& metric : subjects) rows += row(metric);
    section.content +=
        Tag("details", {},
            TextTag("summary", {}, fmt::format("MMLU by subject ({})", subjects.size())) +
                DrawTable("MMLU by subject", Tag("tbody", {}, rows), columns));
  }
  return section;
}

}  // namespace grin
