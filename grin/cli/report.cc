// grin report: the figures of one or many runs, as a page, as tables and as JSON.

#include "grin/report/report.h"

#include <cstdio>
#include <optional>

#include "grin/base/atomic_file.h"
#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/report/sweep_page.h"
#include "grin/run/output.h"
#include "grin/suite/results.h"
#include "grin/sweep/sweep_table.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct ReportOptions {
  std::vector<std::string> results;
  std::string out, reference, before, format = "text";
  bool force = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("out", out, "the page to write: one HTML file that needs nothing else");
    visit("force", force, "replace what stands there");
    visit.List("reference", reference,
               "results of a model that never saw the forget set (several files of it: with "
               "commas); default: what the first results file was compared with, where that is "
               "still there");
    visit.List("before", before,
               "results of the model before unlearning (several files of it: with commas)");
    visit("format", format, "of the table on stdout: " + RunFormats());
  }
};

// The reference that a results file names, from here or from beside it.
fs::path NamedReference(const ReportedRun& run) {
  if (!run.evaluated()) return {};
  const auto named = run.results["grin"].find("reference");
  if (named == run.results["grin"].end() || !named->is_string()) return {};
  const fs::path path(named->get<std::string>());
  const fs::path beside = fs::path(run.results["grin"]["file"].get<std::string>()).parent_path();
  for (const fs::path& candidate : {path, beside / path}) {
    if (fs::is_regular_file(candidate)) return candidate;
  }
  return {};
}

// "a.json,b.json" as paths; one path where a file has that very name.
std::vector<fs::path> PathsOf(const std::string& list) {
  if (fs::exists(list)) return {list};
  std::vector<std::string> parts = CommaParts(list);
  std::erase(parts, "");
  return {parts.begin(), parts.end()};
}

// A sweep has a page of its own.
void ReportSweep(const ReportOptions& options, const CommonOptions& common, const Json& table,
                 std::optional<AtomicFile>& page) {
  if (options.results.size() > 1 || !options.reference.empty() || !options.before.empty()) {
    BadUsage("report",
             "{} is a sweep: it is reported alone, with the models that it compared with itself",
             options.results.front());
  }
  if (common.json || options.format == "json") {
    PrintJson(table);
  } else if (options.format == "text" || options.format == "markdown") {
    fmt::print("{}", SweepMarkdown(table));
  } else {
    BadUsage("report", "--format '{}' says nothing to a sweep; it is markdown or json", options.format);
  }
  if (!page) return;
  page->Write(RenderSweepPage(options.results.front(), table));
  page->Commit();
  Info("wrote {}", options.out);
}

void ReportCommand(const ReportOptions& options, const CommonOptions& common) {
  std::optional<AtomicFile> page;
  if (!options.out.empty()) {
    CheckOutput({.out = options.out, .force = options.force}, OutputKind::kFile);
    page.emplace(options.out);
  }
  for (const std::string& path : options.results) {
    if (const auto table = LoadSweepTable(path)) return ReportSweep(options, common, *table, page);
  }
  const std::vector<fs::path> paths(options.results.begin(), options.results.end());
  std::vector<fs::path> reference = PathsOf(options.reference);
  if (reference.empty()) {
    const fs::path named = NamedReference(LoadRun(paths.front(), {}));
    if (!named.empty()) {
      reference = {named};
      Info("reference {}", named.string());
    }
  }
  Report report{.runs = {}, .yardsticks = LoadYardsticks(reference, PathsOf(options.before))};
  report.runs = LoadRuns(paths, report.yardsticks);
  if (report.runs.size() < paths.size()) {
    Info("files: {}, runs: {}: results of one model are one run", paths.size(), report.runs.size());
  }
  for (const ReportedRun& run : report.runs) {
    if (run.aggregates.other_questions.empty()) continue;
    Warn("{}: forget quality is {}", run.name, run.aggregates.other_questions);
  }
  fmt::print("{}", FormatRuns(report, common.json ? "json" : options.format));
  if (!page) return;
  page->Write(RenderReport(report));
  page->Commit();
  Info("wrote {}", options.out);
}

std::function<void()> SetUpReport(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<ReportOptions>();
  flags.Positional("RESULTS", options->results,
                   "results files of grin eval, OpenUnlearning or locuslab, outputs of runs, or a sweep's "
                   "folder or table.json");
  flags.Bind("Report", *options);
  return [options, &common] { ReportCommand(*options, common); };
}

}  // namespace

extern const Command kReport;
const Command kReport = {
    .name = "report",
    .summary = "figures of one or many runs: a page, a table, JSON",
    .examples =
        "Examples:\n"
        "  grin report R.json --reference RETAIN.json --before FULL.json --out report.html\n"
        "  grin report sweep/*/R.json --reference RETAIN.json --format csv\n"
        "  grin report OUT --out report.html\n"
        "  grin report SWEEP --out sweep.html",
    .set_up = SetUpReport,
    .heeds = ""};

}  // namespace grin
