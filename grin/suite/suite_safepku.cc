// SafePKU: harmful answers of PKU-SafeRLHF (Ji et al. 2024, arXiv 2406.15513) are forgotten. What
// is left is asked with forgotten prompts, with held-out ones and with RealToxicityPrompts (Gehman
// et al. 2020, arXiv 2009.11462).

#include <algorithm>
#include <functional>
#include <set>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/metric/metric_set.h"
#include "grin/suite/perplexity.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Every prompt once, in order: the same prompt may have several answers.
void KeepFirst(std::vector<Example>& examples) {
  std::set<std::string> seen;
  std::erase_if(examples,
                [&](const Example& example) { return !seen.insert(example.prompt).second; });
}

// Forgotten prompts with their unsafe responses: a file "forget", or all tables of
// pairs_by_category/.
std::vector<Example> ForgetSet(const SuiteInput& input, const fs::path& data) {
  if (const fs::path file = FindTable(data, {"forget", "unsafe"}); !file.empty()) {
    std::vector<Example> examples = LoadSet(input, file);
    KeepFirst(examples);
    return examples;
  }
  std::vector<fs::path> files;
  if (fs::is_directory(data / "pairs_by_category")) {
    for (const auto& entry : fs::directory_iterator(data / "pairs_by_category")) {
      if (entry.path().extension() == ".csv") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<Example> examples;
  for (const fs::path& file : files) {
    std::vector<Example> part = LoadExamples(
        file, input.columns.empty() ? "prompt=prompt,response=unsafe_response" : input.columns);
    input.note_input(file, static_cast<int64_t>(part.size()));
    examples.insert(examples.end(), part.begin(), part.end());
  }
  KeepFirst(examples);
  Limit(input, examples);
  return examples;
}

// What says where a file came from is none of the data.
bool IsNote(const std::string& name) {
  return name.find("SOURCE") != std::string::npos || name.find("README") != std::string::npos;
}

// A file whose name begins so, in one of the folders; empty when there is none.
fs::path FindBeginning(const std::vector<fs::path>& folders, const std::string& beginning) {
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(beginning) && !IsNote(name)) found.push_back(entry.path());
    }
    if (!found.empty()) return *std::ranges::min_element(found);
  }
  return {};
}

struct PkuSet {
  std::string name;  // in results
  std::vector<NamedMetric> metrics;
  AskOptions ask;
  std::function<std::vector<Example>()> load;  // no examples where the files are missing
  std::string files;                           // those that it looks for
};

std::vector<PkuSet> SetsOf(const SuiteInput& input, const fs::path& beside) {
  const fs::path data = input.options.data;
  const AskOptions in_template{.how = {.max_new_tokens = input.options.max_new_tokens},
                               .phrasing = {},
                               .positions = input.positions};
  const AskOptions as_text{.how = {.max_new_tokens = 20},
                           .phrasing = AsPlainText(input.encoder, 20, input.positions),
                           .positions = input.positions};
  const std::vector<std::string> of_answers = {"toxicity", "refusal_rate", "repetition"};
  const std::vector<std::string> of_text = {"toxicity", "repetition"};  // it refuses nothing
  const auto test = [&input, data] {
    const fs::path file = FindTable(data, {"test", "safe_test"});
    std::vector<Example> examples = file.empty() ? std::vector<Example>{} : LoadSet(input, file);
    KeepFirst(examples);
    return examples;
  };
  const auto toxic = [&input, data, beside] {
    const fs::path file =
        FindBeginning({data, beside / "realtoxicityprompts"}, "realtoxicityprompts");
    // Only the prompts are used: files without continuations will do.
    return file.empty() ? std::vector<Example>{}
                        : LoadSet(input, file, "prompt=prompt,response=prompt");
  };
  return {{.name = "forget",
           .metrics = NameMetrics("forget", of_answers),
           .ask = in_template,
           .load = [&input, data] { return ForgetSet(input, data); },
           .files = "forget.* or pairs_by_category/*.csv"},
          {.name = "test",
           .metrics = NameMetrics("test", of_answers),
           .ask = in_template,
           .load = test,
           .files = "test.* or safe_test.*"},
          {.name = "rtp",
           .metrics = NameMetrics("rtp", of_text),
           .ask = as_text,
           .load = toxic,
           .files = "realtoxicityprompts*"}};
}

FinishSuite PlanSafepku(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: the folder of PKU-SafeRLHF's files");
  }
  const fs::path data = input.options.data, beside = fs::absolute(data).lexically_normal() / "..";
  std::vector<PkuSet> rows = SetsOf(input, beside);
  std::vector<std::string> known = {"perplexity"};
  for (const PkuSet& row : rows) {
    for (const NamedMetric& named : row.metrics) known.push_back(named.result);
  }
  const Wanted wanted(input.options.metrics, known, {});
  auto sets = std::make_shared<std::vector<MetricSet>>();
  Json unmeasured = Json::object();
  bool toxicity = false;
  for (PkuSet& row : rows) {
    row.metrics = wanted.Of(std::move(row.metrics));
    if (row.metrics.empty()) continue;
    std::vector<Example> examples = row.load();
    if (!examples.empty()) {
      sets->emplace_back(plan, input.encoder, row.name, std::move(examples), row.metrics, row.ask);
      toxicity |= sets->back().wants_toxicity();
      continue;
    }
    for (const NamedMetric& named : row.metrics) {
      unmeasured[named.result] =
          NotMeasured(fmt::format("{} is not in {}", row.files, data.string()));
    }
  }
  std::shared_ptr<AskedText> text;
  if (wanted("perplexity")) {
    const fs::path wiki = FindBeginning({data, beside / "text"}, "wiki");
    if (wiki.empty()) {
      unmeasured["perplexity"] = NotMeasured(fmt::format(
          "no running text: wiki* is neither in {} nor in text/ beside it", data.string()));
    } else {
      SuiteInput own_columns = input;  // those given are the pairs' columns
      own_columns.columns.clear();
      text = std::make_shared<AskedText>(plan, own_columns, wiki);
    }
  }
  if (sets->empty() && !text) RefuseAsUnmeasured(unmeasured);
  std::shared_ptr<ToxicityClassifier> classifier;
  if (toxicity && !input.options.classifier.empty()) {
    classifier =
        std::make_shared<ToxicityClassifier>(
          ToxicityClassifier::Load(input.options.classifier, {}, input.device));
  } else if (toxicity) {
    Warn("no --classifier: toxicity is not measured");
  }
  return [sets, text, classifier, unmeasured](const EngineResults& engines, const EngineResults*) {
    Json results = Json::object();
    for (const MetricSet& set : *sets) set.Compute(engines, nullptr, classifier.get(), results);
    if (text) results["perplexity"] = text->Result(engines);
    results.update(unmeasured);
    return results;
  };
}

}  // namespace

extern const Suite kSafePkuSuite;
const Suite kSafePkuSuite = {.name = "safepku",
                             .summary = "toxicity, refusals and perplexity after unlearning harm",
                             .plan = PlanSafepku};

}  // namespace grin
