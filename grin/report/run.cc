#include "grin/report/run.h"

#include <algorithm>
#include <set>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/read_json.h"
#include "grin/suite/joined_results.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

std::vector<Json> ReadLog(const fs::path& path) {
  std::vector<Json> log;
  const std::string text = ReadFile(path);
  int64_t line = 1;
  for (size_t begin = 0; begin < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view record = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (record.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    log.push_back(ParseJson(record, path.string(), {.line = line}));
    if (!log.back().is_object()) {
      BadInput("report", "{}:{}: holds {}, expected a JSON object", path.string(), line,
               log.back().type_name());
    }
  }
  return log;
}

void LoadBeside(const fs::path& directory, ReportedRun& run) {
  if (fs::is_regular_file(directory / "grin.json")) {
    run.record = ReadJsonObject(directory / "grin.json");
  }
  if (fs::is_regular_file(directory / "log.jsonl")) run.log = ReadLog(directory / "log.jsonl");
  if (fs::is_regular_file(directory / "mask.safetensors")) {
    run.density = DensityOf(Mask::Load(directory / "mask.safetensors"));
  }
}

// The directory of the evaluated model; empty where it is not here.
fs::path ModelDirectory(const Json& results, const fs::path& file) {
  const auto model = results["grin"].find("model");
  if (model == results["grin"].end() || !model->is_string()) return {};
  const fs::path path(model->get<std::string>());
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return path;
  if (const fs::path beside = file.parent_path() / path;
      path.is_relative() && fs::is_directory(beside, ignored)) {
    return beside;
  }
  return {};
}

// Null for an output directory, where nothing was evaluated.
Json LoadResultsOf(const fs::path& path) {
  if (!fs::is_directory(path)) return LoadResults(path);
  if (!fs::is_regular_file(path / "grin.json")) {
    BadInput("report", "{}: has no grin.json; expected a results file or the output of a run",
             path.string());
  }
  return nullptr;
}

ReportedRun RunOf(const fs::path& path, Json results, const Yardsticks& yardsticks) {
  ReportedRun run{.name = path.string(), .results = std::move(results)};
  if (!run.evaluated()) {
    LoadBeside(path, run);
    return run;
  }
  const fs::path directory = ModelDirectory(run.results, path);
  if (!directory.empty()) LoadBeside(directory, run);
  run.aggregates =
      Aggregate(run.results, yardsticks.retain.is_null() ? nullptr : &yardsticks.retain,
                yardsticks.before.is_null() ? nullptr : &yardsticks.before);
  return run;
}

// The files of a yardstick as one.
Json LoadYardstick(const std::vector<fs::path>& paths) {
  if (paths.empty()) return nullptr;
  if (paths.size() == 1) return LoadResults(paths[0]);
  std::vector<Json> results;
  std::vector<const Json*> parts;
  for (const fs::path& path : paths) results.push_back(LoadResults(path));
  for (size_t i = 0; i < paths.size(); ++i) {
    parts.push_back(&results[i]);
    if (i > 0 && !AreOfOneModel(results[0], results[i])) {
      BadInput("report",
               "{} and {}: do not say that they are of one model (by model_fingerprint, which grin "
               "eval writes); give one file",
               paths[0].string(), paths[i].string());
    }
  }
  if (const std::string metric = SharedMetric(parts); !metric.empty()) {
    BadInput("report", "{}: {} is in more than one of the files; which one counts is not known",
             paths[0].string(), metric);
  }
  return JoinResults(parts);
}

}  // namespace

Yardsticks LoadYardsticks(const std::vector<fs::path>& retain,
                          const std::vector<fs::path>& before) {
  return {.retain = LoadYardstick(retain), .before = LoadYardstick(before)};
}

ReportedRun LoadRun(const fs::path& path, const Yardsticks& yardsticks) {
  return RunOf(path, LoadResultsOf(path), yardsticks);
}

std::vector<ReportedRun> LoadRuns(const std::vector<fs::path>& paths,
                                  const Yardsticks& yardsticks) {
  std::vector<Json> results;
  for (const fs::path& path : paths) results.push_back(LoadResultsOf(path));
  std::vector<ReportedRun> runs;
  std::vector<fs::path> firsts;
  for (const std::vector<size_t>& group : GroupByModel(results)) {
    std::vector<const Json*> parts;
    for (const size_t number : group) parts.push_back(&results[number]);
    Json whole = parts.size() > 1 ? JoinResults(parts) : std::move(results[group.front()]);
    firsts.push_back(paths[group.front()]);
    runs.push_back(RunOf(firsts.back(), std::move(whole), yardsticks));
  }
  NameRuns(runs, firsts);
  return runs;
}

void NameRuns(std::vector<ReportedRun>& runs, const std::vector<fs::path>& paths) {
  // As many trailing parts of the paths as it takes.
  for (size_t parts = 1; parts <= 16; ++parts) {
    std::set<std::string> names;
    for (size_t i = 0; i < runs.size(); ++i) {
      fs::path name;
      fs::path rest = paths[i].lexically_normal();
      if (!rest.has_filename()) rest = rest.parent_path();
      for (size_t part = 0; part < parts && rest.has_filename(); ++part) {
        name = name.empty() ? rest.filename() : rest.filename() / name;
        rest = rest.parent_path();
      }
      if (name.extension() == ".json") name.replace_extension();
      runs[i].name = name.string();
      names.insert(runs[i].name);
    }
    if (names.size() == runs.size()) return;
  }
}

Json Summarize(const ReportedRun& run) {
  Json summary = {{"run", run.name}};
  if (!run.evaluated()) return summary;
  summary["file"] = run.results["grin"]["file"];
  if (const auto sources = SourcesOf(run.results); sources.size() > 1) {
    summary["files"] = Json::array();
    for (const Json* source : sources) summary["files"].push_back(source->at("file"));
  }
  Json reasons = Json::object();
  for (const AggregateInfo& info : kAggregates) {
    const Measure& measure = run.aggregates.*info.measure;
    summary[info.name] = measure ? Json(*measure.value) : Json(nullptr);
    if (!measure) reasons[info.name] = measure.why;
  }
  if (!run.aggregates.other_questions.empty()) {
    summary["caution"] = "forget quality is " + run.aggregates.other_questions;
  }
  Json metrics = Json::object();
  for (const std::string& name : MetricNames(run.results)) {
    const auto value = AggregateOf(run.results, name);
    metrics[name] = value ? Json(*value) : Json(nullptr);
    if (!value && !reasons.contains(name)) reasons[name] = WhyNotMeasured(run.results, name);
  }
  summary["not_measured"] = reasons;
  summary["metrics"] = metrics;
  return summary;
}

}  // namespace grin
