#pragma once
// The settings of the attacks: the single source for flags, TOML keys, help and recipe.

#include <cstdint>
#include <string>
#include <vector>

namespace grin {

struct AttackOptions {
  std::vector<std::string> attacks;  // names; empty: all
  double relearn_share = 0.2;
  std::vector<std::string> relearn_budgets = {"mild=4@1e-4", "hard=8@3e-4"};
  int64_t relearn_batch_size = 8;
  std::string general;
  std::vector<std::string> round_types = {"q8_0", "q4_0", "nf4"};
  int64_t samples = 64;
  int64_t sample_limit = 0;
  double temperature = 1.0;
  double leak_share = 0.5;
  int64_t retain_limit = 100;
  int64_t max_new_tokens = 0;
  int64_t batch_size = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("attacks", attacks, "which, of " + Names() + "; default: all");
    visit("relearn-share", relearn_share,
          "share of the forget records, drawn by seed, that relearning trains on; the others are "
          "measured");
    visit(
        "relearn-budgets", relearn_budgets,
        "NAME=EPOCHS@RATE of each relearning, the hardest last; default: mild=4@1e-4,hard=8@3e-4");
    visit("relearn-batch-size", relearn_batch_size, "sequences of a batch when relearning");
    visit.List("general", general, "general text, for relearning on it too");
    visit("round-types", round_types,
          "number formats that weights are rounded to; default: q8_0,q4_0,nf4");
    visit("samples", samples, "answers drawn for each question");
    visit("sample-limit", sample_limit,
          "draw answers to at most so many forget questions, by seed; 0: to all");
    visit("temperature", temperature, "at which answers are drawn");
    visit("leak-share", leak_share,
          "an answer leaks when it holds this share of the record's keywords, at least one");
    visit("retain-limit", retain_limit,
          "measure damage on at most so many retain records, by seed; 0: on all");
    visit("max-new-tokens", max_new_tokens,
          "longest answer; 0: half as long again as the longest forget answer");
    visit("batch-size", batch_size,
          "prompts continued at once, no value depends on it; 0: as many as 1 GiB of keys and "
          "values holds, 8 to 128");
  }

 private:
  static std::string Names();
};

}  // namespace grin
