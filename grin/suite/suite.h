#pragma once
// Suites: benchmarks as lists of sets and metrics. A new suite is one file and one row of a table.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/engine/plan.h"

namespace grin {

struct SuiteOptions {
  std::string suite = "tofu";
  std::string data;
  std::string split;  // empty: the suite's default, see SettleOptions
  std::string holdout;
  std::string reference;
  std::string reference_model;
  std::string classifier;
  std::vector<std::string> metrics;
  int64_t max_new_tokens = 200;
  int64_t shots = 0;
  int64_t stride = 0;
  int64_t limit = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("suite", suite, "what is measured: " + SuiteNames());
    visit("data", data, "the suite's folder or file (for custom: its TOML file)");
    visit("split", split,
          "tofu: the forget split, without it forget10; wmdp: bio, cyber, chem or all; mmlu: a "
          "subject or all");
    visit("holdout", holdout,
          "tofu: records never trained on, a split of the folder or a file, for the membership "
          "attacks");
    visit(
        "reference", reference,
        "results of the retain model, of this tool, OpenUnlearning or locuslab: for forget quality "
        "and privleak");
    visit("reference-model", reference_model,
          "checkpoint whose losses the reference attack subtracts");
    visit("classifier", classifier, "checkpoint directory of a toxicity classifier (BERT)");
    visit("metrics", metrics, "only these results, and what they need; default: all");
    visit("max-new-tokens", max_new_tokens, "longest greedy answer");
    visit("shots", shots, "mmlu: worked examples before each question (at most 5)");
    visit("stride", stride, "perplexity: tokens between windows; 0: half the context");
    visit("limit", limit, "first so many records of each set; 0: all");
  }

 private:
  static std::string SuiteNames();
};

struct SuiteInput {
  const SuiteOptions& options;
  const Encoder& encoder;
  int64_t context = 0;    // of the model
  int64_t positions = 0;  // the context where nothing longer can be read (learned positions), else 0
  std::string columns;  // --columns, for sets whose columns the suite does not fix
  Json reference;       // canonical results of the reference; null without
  // Sets and files that were read are named here, for provenance.
  std::function<void(const std::filesystem::path&, int64_t records)> note_input;
  // Where the reference model is asked; null without one.
  EvalPlan* reference_plan = nullptr;
  at::Device device = at::kCPU;  // where classifiers compute
};

// What turns the engines' answers into {metric: result}. The second are the reference model's, null
// without one.
using FinishSuite = std::function<Json(const EngineResults&, const EngineResults*)>;

struct Suite {
  std::string_view name, summary;
  // Reads the data and asks the plan. Error (usage or bad input) for missing files or settings.
  FinishSuite (*plan)(const SuiteInput& input, EvalPlan& plan);
  std::string_view default_split = {};  // empty where a suite has no splits
  bool fixes_columns = false;           // its files have one form: --columns says nothing to it
};

// Error (usage) that names the nearest.
const Suite& FindSuite(std::string_view name);

// The options as this suite takes them: the split that it measures is named, and empty where it has
// none. Error (usage) for a --split, or for --columns, that it would pass over.
SuiteOptions SettleOptions(const Suite& suite, SuiteOptions options,
                           const std::string& columns = "");

}  // namespace grin
