// The sections whose content is charts.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"
#include "grin/report/metric_info.h"
#include "grin/report/sections.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

std::vector<double> PositiveRatios(const Json& results) {
  if (!results.is_object()) return {};
  std::vector<double> ratios = ValuesOf(ValuesByIndex(results, "forget_truth_ratio"));
  // A ratio of 0 lies below any axis of logarithms: at its lower edge, not left out.
  for (double& ratio : ratios) ratio = std::max(ratio, 1e-300);
  return ratios;
}

// "Q: what was asked" for a tip, where the results hold texts.
std::string QuestionOf(const Json& results, const std::string& set, int64_t index) {
  const auto metric = results.find(set + "_Q_A_ROUGE");
  if (metric == results.end()) return {};
  const auto values = metric->find("value_by_index");
  if (values == metric->end() || !values->is_object()) return {};
  const auto entry = values->find(std::to_string(index));
  if (entry == values->end()) return {};
  std::string text = StringOr(*entry, "input", "");
  constexpr size_t kLongest = 140;
  if (text.size() > kLongest) {
    size_t end = kLongest;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + " …";
  }
  return text;
}

// A figure by example that both files have, 0 to 1.
struct PerExample {
  const char* suffix;
  const char* field;
};
constexpr PerExample kPerExample[] = {{"_Q_A_Prob", "prob"},
                                      {"_keyword_confidence", "score"},
                                      {"_keyword_accuracy", "score"},
                                      {"_knowmem_ROUGE", "rougeL_f1"}};

Markup ChangeOf(const std::string& set, const std::string& css_class, const ReportedRun& run,
                const Yardsticks& yardsticks) {
  for (const PerExample& kind : kPerExample) {
    const std::string metric = set + kind.suffix;
    const IndexedValues before = ValuesByIndex(yardsticks.before, metric, kind.field);
    std::vector<ChangePoint> points;
    for (const auto& [index, after] : ValuesByIndex(run.results, metric, kind.field)) {
      const auto then = before.find(index);
      if (then == before.end()) continue;
      const std::string question = QuestionOf(run.results, set, index);
      points.push_back({then->second, after,
                        fmt::format("{} {}: {} → {}{}{}", set, index, FormatFigure(then->second),
                                    FormatFigure(after), question.empty() ? "" : "\n", question)});
    }
    if (points.empty()) continue;
    const std::string label = InfoOf(metric).label;
    return Tag("div", {{"class", "chart"}},
               TextTag("p", {{"class", "chart-title"}}, label) +
                   ChangeChart("change-" + set, label + ", before and after", css_class, points));
  }
  return {};
}

std::vector<std::pair<double, double>> SeriesOf(const std::vector<Json>& log,
                                                const std::string& key) {
  std::vector<std::pair<double, double>> points;
  for (const Json& record : log) {
    const auto step = NumberOf(record, "step"), value = NumberOf(record, key);
    if (step && value && std::isfinite(*value)) points.emplace_back(*step, *value);
  }
  return points;
}

std::vector<std::pair<double, double>> JudgedOf(const std::vector<Json>& log,
                                                const std::string& set) {
  std::vector<std::pair<double, double>> points;
  for (const Json& record : log) {
    const auto judged = record.find("judged");
    if (judged == record.end() || !judged->is_object() || !judged->contains(set)) continue;
    const auto step = NumberOf(record, "step"),
               value = NumberOf((*judged)[set], "keyword_accuracy");
    if (step && value) points.emplace_back(*step, *value);
  }
  return points;
}

Markup TitledChart(std::string_view title, const Markup& chart) {
  return Tag("div", {{"class", "chart"}}, TextTag("p", {{"class", "chart-title"}}, title) + chart);
}

}  // namespace

Section TruthRatioSection(const ReportedRun& run, const Yardsticks& yardsticks) {
  Section section{
      .id = "truth-ratios", .title = "Truth ratios", .link = "Truth ratios", .content = {}};
  if (!run.evaluated()) return section;
  std::vector<Sample> samples = {{"this run", "unlearned", PositiveRatios(run.results)}};
  if (samples[0].values.empty()) return section;
  if (auto ratios = PositiveRatios(yardsticks.retain); !ratios.empty()) {
    samples.push_back({"never saw it", "never", std::move(ratios)});
  }
  if (auto ratios = PositiveRatios(yardsticks.before); !ratios.empty()) {
    samples.push_back({"before", "before", std::move(ratios)});
  }
  std::vector<LegendKey> keys;
  for (const Sample& sample : samples) keys.push_back({sample.css_class, sample.name});
  std::string caption =
      "For each question of the forget set, how likely wrong answers are beside the right one. A "
      "model that knows the answers lies to the left, below 1. ";
  const Measure& p = run.aggregates.forget_quality;
  const Measure& distance = run.aggregates.forget_distance;
  caption += yardsticks.retain.is_object() && p && distance
                 ? fmt::format(
                       "The largest distance to the model that never saw them is D = {}; if "
                       "both were alike, one as large would come about with probability {}.",
                       FormatFigure(*distance.value), FormatFigure(*p.value))
                 : "Nothing to compare with was given.";
  if (const std::string& note = run.aggregates.other_questions; !note.empty()) {
    caption += fmt::format(" Caution: {}.", note);
  }
  section.content =
      Figure(EcdfChart("ecdf", "truth ratio (wrong / right)", samples, "never saw it"),
             Legend(keys), caption);
  return section;
}

Section ExamplesSection(const ReportedRun& run, const Yardsticks& yardsticks) {
  Section section{
      .id = "examples", .title = "Example by example", .link = "Examples", .content = {}};
  if (!run.evaluated() || !yardsticks.before.is_object()) return section;
  const Markup charts =
      ChangeOf("forget", "forget", run, yardsticks) + ChangeOf("retain", "retain", run, yardsticks);
  if (charts.empty()) return section;
  section.content =
      Figure(charts, {},
             "Each dot is a question. On the diagonal nothing changed; below it the answer became "
             "less likely. The forget set should fall to the floor, the retain set should stay on "
             "the diagonal.");
  return section;
}

Section DensitySection(const ReportedRun& run) {
  Section section{
      .id = "mask", .title = "Where the selected weights lie", .link = "Weights", .content = {}};
  if (!run.density || run.density->cells.empty()) return section;
  const DensityGrid& grid = *run.density;
  std::string caption = fmt::format(
      "{} of {} scored weights were selected ({}). Every other weight is as it was; grin diff "
      "shows "
      "it.",
      FormatCount(static_cast<double>(grid.all.selected)),
      FormatCount(static_cast<double>(grid.all.total)), FormatPercent(grid.all.share()));
  for (const auto& [name, cell] : grid.elsewhere) {
    caption += fmt::format(" Outside of the layers: {}, {}.", name, FormatPercent(cell.share()));
  }
  section.content =
      Figure(Tag("div", {{"class", "scroll wide"}}, DensityChart("density", grid)), {}, caption);
  return section;
}

Section TrainingSection(const ReportedRun& run) {
  Section section{.id = "training", .title = "Training", .link = "Training", .content = {}};
  std::optional<double> kept;
  if (run.record.is_object() && run.record.contains("tune")) {
    kept = NumberOf(run.record["tune"], "kept_step");
  }
  Markup charts;
  const struct {
    const char* key;
    const char* title;
    const char* css_class;
  } losses[] = {{"forget_loss", "Loss on the forget set", "forget"},
                {"retain_loss", "Loss on the retain set", "retain"},
                {"data_loss", "Loss", "retain"}};
  for (const auto& loss : losses) {
    auto points = SeriesOf(run.log, loss.key);
    if (points.empty()) continue;
    charts += TitledChart(
        loss.title,
        CurveChart(loss.key,
                   {{.name = loss.title, .css_class = loss.css_class, .points = std::move(points)}},
                   {.y_label = "loss", .kept_step = kept}));
  }
  std::vector<Curve> judged;
  for (const char* set : {"forget", "retain"}) {
    auto points = JudgedOf(run.log, set);
    if (!points.empty()) {
      judged.push_back({.name = std::string(set) + " set",
                        .css_class = set,
                        .points = std::move(points),
                        .dots = true});
    }
  }
  if (!judged.empty()) {
    charts += TitledChart(
        "Keyword accuracy on a sample of the training data",
        CurveChart("judged", judged,
                   {.y_label = "keyword accuracy", .lo = 0.0, .hi = 1.0, .kept_step = kept}));
  }
  if (charts.empty()) return section;
  section.content = Figure(charts, Legend({{"forget", "forget set"}, {"retain", "retain set"}}),
                           "Losses are the objectives' own values, before weighting. Forgetting is "
                           "not monotone: the state with the best trade-off was kept, which need "
                           "not be the last.");
  return section;
}

}  // namespace grin
