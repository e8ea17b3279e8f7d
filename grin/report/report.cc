#include "grin/report/report.h"

#include <fmt/format.h>

#include "grin/report/comparison.h"
#include "grin/report/page.h"
#include "grin/report/sections.h"
#include "grin/report/verdict.h"

namespace grin {
namespace {

Markup RunPage(const ReportedRun& run, const Yardsticks& yardsticks, Markup& links) {
  const Section sections[] = {AttackSection(run),
                              MetricsSection(run, yardsticks),
                              TruthRatioSection(run, yardsticks),
                              ExamplesSection(run, yardsticks),
                              AnswersSection(run, yardsticks),
                              DensitySection(run),
                              TrainingSection(run),
                              CostSection(run),
                              RecipeSection(run),
                              ProvenanceSection(run, yardsticks)};
  Markup body = VerdictHeader(run, yardsticks);
  for (const Section& section : sections) {
    if (section.empty()) continue;
    body += Render(section);
    links += Tag("li", {}, TextTag("a", {{"href", "#" + section.id}}, section.link));
  }
  return body;
}

}  // namespace

std::string RenderReport(const Report& report) {
  Markup links;
  if (report.runs.size() == 1) {
    const ReportedRun& run = report.runs.front();
    const Markup content = RunPage(run, report.yardsticks, links);
    return RenderPage("GRIN report: " + run.name, links, content);
  }
  const Markup content = ComparisonPage(report, links);
  return RenderPage(fmt::format("GRIN report: {} runs", report.runs.size()), links, content);
}

std::string RenderRunReport(const std::string& name, const Json& record,
                            const std::vector<Json>& log, const Mask* mask) {
  Report report;
  report.runs.push_back(
      {.name = name, .results = {}, .record = record, .log = log, .density = {}, .aggregates = {}});
  if (mask) report.runs.back().density = DensityOf(*mask);
  return RenderReport(report);
}

Json SummarizeReport(const Report& report) {
  const auto summarize = [&](const ReportedRun& run) {
    Json summary = Summarize(run);
    const Verdict verdict = VerdictOf(run, report.yardsticks);
    Json findings = Json::object();
    for (const Finding& finding : verdict.findings) findings[finding.title] = finding.text;
    summary["verdict"] = {{"headline", verdict.headline}, {"findings", findings}};
    return summary;
  };
  if (report.runs.size() == 1) return summarize(report.runs.front());
  Json runs = Json::array();
  for (const ReportedRun& run : report.runs) runs.push_back(summarize(run));
  return {{"runs", runs}};
}

}  // namespace grin
