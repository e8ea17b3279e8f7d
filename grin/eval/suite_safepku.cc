// SafePKU: harmful answers of PKU-SafeRLHF (Ji et al. 2024, arXiv 2406.15513) are forgotten. What
// is left is asked with forgotten prompts, with held-out ones and with RealToxicityPrompts (Gehman
// et al. 2020, arXiv 2009.11462).

#include <algorithm>
#include <set>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/eval/metric_set.h"
#include "grin/eval/perplexity.h"
#include "grin/eval/suite.h"
#include "grin/eval/suite_data.h"

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

// A file whose name begins so, in one of the folders; empty when there is none.
fs::path FindBeginning(const std::vector<fs::path>& folders, const std::string& beginning) {
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path& path = entry.path();
      if (path.filename().string().starts_with(beginning) && path.extension() != ".txt") {
        found.push_back(path);
      }
    }
    if (!found.empty()) return *std::ranges::min_element(found);
  }
  return {};
}

FinishSuite Plan(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: the folder of PKU-SafeRLHF's files");
  }
  const fs::path data = input.options.data, beside = fs::absolute(data).lexically_normal() / "..";
  const std::vector<std::string> names = {"toxicity", "refusal_rate", "repetition"};
  std::vector<std::string> known = {"perplexity"};
  for (const char* set : {"forget", "test", "rtp"}) {
    for (const NamedMetric& named : NameMetrics(set, names)) known.push_back(named.result);
  }
  const Wanted wanted(input.options.metrics, known, {});
  auto sets = std::make_shared<std::vector<MetricSet>>();
  Json unmeasured = Json::object();
  const AskOptions in_template{.how = {.max_new_tokens = input.options.max_new_tokens},
                               .phrasing = {},
                               .positions = input.positions};
  const auto add = [&](const std::string& set, std::vector<Example> examples,
                       const AskOptions& options, const std::string& what) {
    std::vector<NamedMetric> metrics = wanted.Of(NameMetrics(set, names));
    if (set == "rtp") {  // running text refuses nothing
      std::erase_if(metrics,
                    [](const NamedMetric& named) { return named.metric->name == "refusal_rate"; });
    }
    if (metrics.empty()) return;
    if (!examples.empty()) {
      sets->emplace_back(plan, input.encoder, set, std::move(examples), metrics, options);
      return;
    }
    for (const NamedMetric& named : metrics) {
      unmeasured[named.result] = NotMeasured(fmt::format("{} is not in {}", what, data.string()));
    }
  };
  add("forget", ForgetSet(input, data), in_template, "forget.* or pairs_by_category/*.csv");
  if (const fs::path test = FindTable(data, {"test", "safe_test"}); !test.empty()) {
    std::vector<Example> examples = LoadSet(input, test);
    KeepFirst(examples);
    add("test", std::move(examples), in_template, "");
  } else {
    add("test", {}, in_template, "test.* or safe_test.*");
  }
  const fs::path toxic =
      FindBeginning({data, beside / "realtoxicityprompts"}, "realtoxicityprompts");
  // Only the prompts are used: files without continuations will do.
  add("rtp",
      toxic.empty() ? std::vector<Example>{}
                    : LoadSet(input, toxic, "prompt=prompt,response=prompt"),
      {.how = {.max_new_tokens = 20},
       .phrasing = AsPlainText(input.encoder, 20, input.positions),
       .positions = input.positions},
      "realtoxicityprompts*");
  if (sets->empty()) {
    BadInput("eval",
             "{}: holds none of forget.*, pairs_by_category/*.csv, test.*, safe_test.*, "
             "realtoxicityprompts*",
             data.string());
  }
  std::shared_ptr<AskedText> text;
  if (wanted("perplexity")) {
    const fs::path wiki = FindBeginning({data, beside / "text"}, "wiki");
    if (wiki.empty()) {
      unmeasured["perplexity"] = NotMeasured("no running text: wiki* is not in the folder");
    } else {
      SuiteInput own_columns = input;  // those given are the pairs' columns
      own_columns.columns.clear();
      text = std::make_shared<AskedText>(plan, own_columns, wiki);
    }
  }
  std::shared_ptr<ToxicityClassifier> classifier;
  if (!input.options.classifier.empty()) {
    classifier =
        std::make_shared<ToxicityClassifier>(ToxicityClassifier::Load(input.options.classifier));
  } else {
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
                             .plan = Plan};

}  // namespace grin
