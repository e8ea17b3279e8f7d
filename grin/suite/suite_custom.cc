// Any set of questions and answers with any of the metrics: by keyword metrics alone, or as a TOML
// file says.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/metric/metric_set.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct SetRow {
  std::string name;
  fs::path data;
  std::string columns;
  std::vector<std::string> metrics;
  int64_t max_new_tokens = 200;
};

FinishSuite PlanRows(const SuiteInput& input, EvalPlan& plan, const std::vector<SetRow>& rows) {
  std::vector<std::string> known;
  for (const SetRow& row : rows) {
    for (const NamedMetric& named : NameMetrics(row.name, row.metrics))
      known.push_back(named.result);
  }
  const Wanted wanted(input.options.metrics, known, {});
  auto sets = std::make_shared<std::vector<MetricSet>>();
  std::shared_ptr<ToxicityClassifier> classifier;
  for (const SetRow& row : rows) {
    auto metrics = wanted.Of(NameMetrics(row.name, row.metrics));
    if (metrics.empty()) continue;
    sets->emplace_back(plan, input.encoder, row.name, LoadSet(input, row.data, row.columns),
                       metrics,
                       AskOptions{.how = {.max_new_tokens = row.max_new_tokens},
                                  .phrasing = {},
                                  .positions = input.positions});
    if (sets->back().wants_toxicity() && !classifier && !input.options.classifier.empty()) {
      classifier =
          std::make_shared<ToxicityClassifier>(ToxicityClassifier::Load(input.options.classifier));
    }
  }
  return [sets, classifier](const EngineResults& engines, const EngineResults*) {
    Json results = Json::object();
    for (const MetricSet& set : *sets) set.Compute(engines, nullptr, classifier.get(), results);
    return results;
  };
}

const SetRow* FindSet(const std::vector<SetRow>& rows, const std::string& name) {
  const auto found = std::ranges::find(rows, name, &SetRow::name);
  return found == rows.end() ? nullptr : &*found;
}

// "forget=a.jsonl,retain=b.jsonl"; a file without a name is called by its stem.
std::vector<SetRow> NamedFiles(const SuiteInput& input) {
  std::vector<SetRow> rows;
  for (const std::string& part : CommaParts(input.options.data)) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const fs::path file = equals == std::string::npos ? part : part.substr(equals + 1);
    const std::string name =
        equals == std::string::npos ? file.stem().string() : part.substr(0, equals);
    if (const SetRow* other = FindSet(rows, name)) {  // its results would be lost
      BadUsage("eval", "--data: {} and {} are both called '{}'; name them: NAME={},OTHER={}",
               other->data.string(), file.string(), name, other->data.string(), file.string());
    }
    rows.push_back({.name = name, .data = file});
  }
  return rows;
}

FinishSuite PlanKeywords(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: FILE, or forget=FILE,retain=FILE");
  }
  std::vector<SetRow> rows = NamedFiles(input);
  for (SetRow& row : rows) {
    row.metrics = {"keyword_accuracy",
                   "keyword_accuracy_generated",
                   "keyword_confidence",
                   "probability",
                   "rouge",
                   "repetition"};
    row.max_new_tokens = input.options.max_new_tokens;
  }
  return PlanRows(input, plan, rows);
}

// A section per set: data = "FILE" (relative to the TOML file), metrics = ["probability", ...],
// and optionally columns and max-new-tokens.
std::vector<SetRow> ReadToml(const fs::path& path) {
  std::ifstream in(path);
  if (!in) BadInput("eval", "{}: cannot be read", path.string());
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(in);
  } catch (const CLI::Error& error) {
    BadInput("eval", "{}: is not TOML: {}", path.string(), error.what());
  }
  std::vector<SetRow> rows;
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // a section opens or closes
    if (item.parents.size() != 1) {
      BadInput("eval", "{}: '{}' must stand in a section, [NAME], one per set", path.string(),
               item.fullname());
    }
    if (rows.empty() || rows.back().name != item.parents[0]) {
      if (FindSet(rows, item.parents[0])) {
        BadInput("eval", "{}: section [{}] is there twice", path.string(), item.parents[0]);
      }
      rows.push_back({.name = item.parents[0]});
    }
    SetRow& row = rows.back();
    const std::string first = item.inputs.empty() ? "" : item.inputs.front();
    if (item.name == "data") {
      row.data = fs::path(first).is_absolute() ? fs::path(first) : path.parent_path() / first;
    } else if (item.name == "columns") {
      row.columns = first;
    } else if (item.name == "metrics") {
      row.metrics = item.inputs;
    } else if (item.name == "max-new-tokens") {
      row.max_new_tokens = std::atoll(first.c_str());
    } else {
      BadInput("eval",
               "{}: [{}] has an unknown key '{}'; known: data, columns, metrics, "
               "max-new-tokens",
               path.string(), row.name, item.name);
    }
  }
  if (rows.empty())
    BadInput("eval", "{}: names no set; give a section [NAME] for each", path.string());
  for (const SetRow& row : rows) {
    if (row.data.empty() || row.metrics.empty() || row.max_new_tokens < 1) {
      BadInput("eval",
               "{}: [{}] needs data = \"FILE\", metrics = [\"...\"], and a max-new-tokens of 1 "
               "or more where that is given",
               path.string(), row.name);
    }
  }
  return rows;
}

FinishSuite PlanCustom(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: a TOML file with a section for each set");
  }
  return PlanRows(input, plan, ReadToml(input.options.data));
}

}  // namespace

extern const Suite kKeywordsSuite, kCustomSuite;
const Suite kKeywordsSuite = {.name = "keywords",
                              .summary = "keyword metrics of any questions and answers",
                              .plan = PlanKeywords};
const Suite kCustomSuite = {.name = "custom",
                            .summary = "a TOML file that lists data files and metrics",
                            .plan = PlanCustom};

}  // namespace grin
