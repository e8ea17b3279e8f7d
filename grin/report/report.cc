#include "grin/report/report.h"

#include <fmt/format.h>

#include "grin/base/hash.h"
#include "grin/report/assets.h"
#include "grin/report/comparison.h"
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

// The frame around the content. The policy forbids every request; only this page's own script runs,
// told by a nonce that depends on all of its content.
std::string Page(const std::string& title, const Markup& links, const Markup& content) {
  const std::string nonce = Fingerprint(content.str()) + Fingerprint(kAssetReportJs);
  const Markup head =
      Tag("meta", {{"charset", "utf-8"}}) +
      Tag("meta",
          {{"http-equiv", "Content-Security-Policy"},
           {"content", "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-" + nonce +
                           "'; img-src data:; base-uri 'none'; form-action 'none'"}}) +
      Tag("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}) +
      Tag("meta", {{"name", "color-scheme"}, {"content", "light dark"}}) +
      TextTag("title", {}, title) +
      // An icon of its own, or browsers would ask for one.
      Tag("link", {{"rel", "icon"}, {"href", "data:,"}}) +
      Tag("style", {}, Trusted(std::string(kAssetReportCss)));
  const Markup bar =
      Tag("header", {{"class", "bar"}},
          Tag("p", {{"class", "brand"}}, Text("GRIN ") + TextTag("span", {}, "report")) +
              (links.empty() ? Markup()
                             : Tag("nav", {{"aria-label", "Sections"}}, Tag("ul", {}, links))) +
              TextTag("button", {{"type", "button"}, {"id", "theme"}}, "Theme"));
  const Markup body =
      TextTag("a", {{"class", "skip"}, {"href", "#content"}}, "Skip to the content") + bar +
      Tag("main", {{"id", "content"}, {"tabindex", "-1"}}, content) +
      Tag("script", {{"nonce", nonce}}, Trusted(std::string(kAssetReportJs)));
  return "<!DOCTYPE html>\n" +
         Tag("html", {{"lang", "en"}}, Tag("head", {}, head) + Tag("body", {}, body)).str() + "\n";
}

}  // namespace

std::string RenderReport(const Report& report) {
  Markup links;
  if (report.runs.size() == 1) {
    const ReportedRun& run = report.runs.front();
    const Markup content = RunPage(run, report.yardsticks, links);
    return Page("GRIN report: " + run.name, links, content);
  }
  const Markup content = ComparisonPage(report, links);
  return Page(fmt::format("GRIN report: {} runs", report.runs.size()), links, content);
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
