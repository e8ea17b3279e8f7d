// Suites on files of a few lines and a tiny model: what is asked, what is refused, and what is said
// about the rest.

#include "grin/eval/suite.h"

#include <gmock/gmock.h>

#include "tests/model/tiny.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kTofu = fs::path(GRIN_TEST_DATA) / "eval/tofu";

// Asks the tiny model of the TOFU fixtures.
Json Measure(const SuiteOptions& options) {
  const auto checkpoint = Checkpoint::Open(kTofu / "model");
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, {.template_name = "qa"});
  const Suite& suite = FindSuite(options.suite);
  const SuiteOptions settings = SettleOptions(suite, options);
  EvalPlan plan;
  const FinishSuite finish = suite.plan({.options = settings,
                                         .encoder = encoder,
                                         .context = model.config.context,
                                         .note_input = [](const fs::path&, int64_t) {}},
                                        plan);
  return finish(plan.Run(model, encoder), nullptr);
}

std::string Refusal(const SuiteOptions& options) {
  return MessageOf([&] { Measure(options); });
}

SuiteOptions Options(const std::string& suite, const fs::path& data) {
  SuiteOptions options;
  options.suite = suite;
  options.data = data.string();
  options.max_new_tokens = 4;
  return options;
}

// A question of each subject.
fs::path MmluFolder() {
  const fs::path folder = EmptyDirectory("suite_mmlu");
  std::string lines;
  for (const char* subject : {"anatomy", "virology"}) {
    lines += Json{{"question", "Which?"},
                  {"subject", subject},
                  {"choices", {"this", "that", "both", "none"}},
                  {"answer", 1}}
                 .dump() +
             "\n";
  }
  WriteFile(folder / "test.jsonl", lines);
  return folder;
}

TEST(Split, EverySuiteHasItsOwnDefaultOrNone) {
  const auto settled = [](const char* name) { return SettleOptions(FindSuite(name), {}).split; };
  EXPECT_EQ(settled("tofu"), "forget10");
  EXPECT_EQ(settled("wmdp"), "all");
  EXPECT_EQ(settled("mmlu"), "all");
  for (const char* name : {"safepku", "muse", "perplexity", "keywords", "custom"}) {
    EXPECT_EQ(settled(name), "");
    SuiteOptions options;
    options.split = "forget10";
    EXPECT_THAT(MessageOf([&] { SettleOptions(FindSuite(name), options); }),
                HasSubstr(std::string("--split: suite ") + name + " has no splits"));
  }
}

TEST(Split, OneSubjectOfMmluOrAll) {
  SuiteOptions options = Options("mmlu", MmluFolder());
  const Json all = Measure(options);
  EXPECT_TRUE(all.contains("mmlu_anatomy") && all.contains("mmlu_virology")) << all;
  EXPECT_EQ(all["mmlu"]["questions"], 2);
  options.split = "virology";
  const Json one = Measure(options);
  EXPECT_FALSE(one.contains("mmlu_anatomy")) << one;
  EXPECT_EQ(one["mmlu"]["questions"], 1);
}

TEST(Split, UnknownOnesNameTheNearest) {
  SuiteOptions options = Options("mmlu", MmluFolder());
  options.split = "anatomi";
  EXPECT_THAT(Refusal(options), HasSubstr("did you mean anatomy?; there is all, anatomy"));
  options = Options("wmdp", EmptyDirectory("suite_wmdp"));
  options.split = "biology";
  EXPECT_THAT(Refusal(options), HasSubstr("did you mean bio?; there is bio, cyber, chem, all"));
  options = Options("tofu", kTofu);
  EXPECT_THAT(Refusal(options), HasSubstr("'forget10', did you mean forget01?"));
  // A folder without any forget split is not TOFU's.
  options.data = EmptyDirectory("suite_none").string();
  EXPECT_THAT(Refusal(options), HasSubstr("holds no forget10_perturbed or forget10"));
}

TEST(Split, MetricsOfAnotherPartAreRefused) {
  SuiteOptions options = Options("wmdp", EmptyDirectory("suite_wmdp"));
  options.split = "bio";
  options.metrics = {"wmdp_cyber"};
  EXPECT_THAT(Refusal(options), HasSubstr("this suite has no 'wmdp_cyber'"));
}

}  // namespace
}  // namespace grin
