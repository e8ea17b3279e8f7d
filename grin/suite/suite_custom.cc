// Any set of questions and answers with any of the metrics: by keyword metrics alone, or as a TOML
// file says.

#include <algorithm>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/io/toml_file.h"
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
          std::make_shared<ToxicityClassifier>(
          ToxicityClassifier::Load(input.options.classifier, {}, input.device));
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

// One section of the file: data = "FILE" (relative to the TOML file), metrics = ["probability",
// ...], and optionally columns and max-new-tokens.
SetRow ReadSection(const TomlEntry& section, const fs::path& folder) {
  static const std::vector<std::string> kKnown = {"data", "metrics", "columns", "max-new-tokens"};
  SetRow row{.name = section.key};
  for (const TomlEntry& entry : section.entries) {
    const auto texts = [&](SettingKind kind) {
      return SettingTexts(entry.value, kind, entry.place, entry.key);
    };
    if (std::ranges::find(kKnown, entry.key) == kKnown.end() || entry.is_table) {
      UnknownSetting(entry.place, entry.key, kKnown,
                     fmt::format("; known in a section are {}", fmt::join(kKnown, ", ")));
    }
    if (entry.key == "data") {
      row.data = folder / texts(SettingKind::kText)[0];  // an absolute path stays as it is
    } else if (entry.key == "columns") {
      row.columns = fmt::format("{}", fmt::join(texts(SettingKind::kTexts), ","));
    } else if (entry.key == "metrics") {
      row.metrics = texts(SettingKind::kTexts);
    } else {
      texts(SettingKind::kInteger);  // refuses what is none
      row.max_new_tokens = entry.value.get<int64_t>();
      if (row.max_new_tokens < 1) {
        BadUsage("eval", "{}: max-new-tokens is {}, expected 1 or more", entry.place,
                 row.max_new_tokens);
      }
    }
  }
  if (row.data.empty() || row.metrics.empty()) {
    BadInput("eval", "{}: section [{}] needs data = \"FILE\" and metrics = [\"...\"]",
             section.place, row.name);
  }
  return row;
}

std::vector<SetRow> ReadSections(const fs::path& path) {
  std::vector<SetRow> rows;
  for (const TomlEntry& entry : ReadTomlFile(path)) {
    if (!entry.is_table) {
      BadUsage("eval", "{}: '{}' stands before the first section; each set has a section, [NAME]",
               entry.place, entry.key);
    }
    rows.push_back(ReadSection(entry, path.parent_path()));
  }
  if (rows.empty()) {
    BadInput("eval", "{}: names no set; write a section, [NAME], for each set", path.string());
  }
  return rows;
}

FinishSuite PlanCustom(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: a TOML file with a section for each set");
  }
  return PlanRows(input, plan, ReadSections(input.options.data));
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
