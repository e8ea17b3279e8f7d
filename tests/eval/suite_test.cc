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
Json Measure(const SuiteOptions& options, const std::string& columns = "") {
  const auto checkpoint = Checkpoint::Open(kTofu / "model");
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, {.template_name = "qa"});
  const Suite& suite = FindSuite(options.suite);
  const SuiteOptions settings = SettleOptions(suite, options, columns);
  EvalPlan plan;
  const FinishSuite finish = suite.plan({.options = settings,
                                         .encoder = encoder,
                                         .context = model.config.context,
                                         .columns = columns,
                                         .note_input = [](const fs::path&, int64_t) {}},
                                        plan);
  return finish(plan.Run(model, encoder), nullptr);
}

std::string Refusal(const SuiteOptions& options, const std::string& columns = "") {
  return MessageOf([&] { Measure(options, columns); });
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

// Two records under names of their own, and what they are when read by the common ones.
fs::path SetWithOtherNames() {
  const fs::path folder = EmptyDirectory("suite_columns");
  WriteFile(folder / "set.jsonl",
            "{\"question\": \"Who?\", \"other_question\": \"Who wrote it?\", \"answer\": \"Oda "
            "Venn.\"}\n"
            "{\"question\": \"When?\", \"other_question\": \"When was it?\", \"answer\": \"In "
            "1911.\"}\n");
  return folder / "set.jsonl";
}

std::string FirstInput(const Json& result) { return result["value_by_index"]["0"]["input"]; }

TEST(Columns, NameWhatIsAsked) {
  const SuiteOptions options = Options("keywords", SetWithOtherNames());
  EXPECT_THAT(FirstInput(Measure(options)["set_Q_A_ROUGE"]), HasSubstr("Question: Who?"));
  const Json named = Measure(options, "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(named["set_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
  EXPECT_THAT(Refusal(options, "prompt=q,response=answer"),
              HasSubstr("set.jsonl:1: 'q' is missing"));
}

TEST(Columns, AreThoseOfTofusSetsToo) {
  SuiteOptions options = Options("tofu", SetWithOtherNames().parent_path());
  options.split = "set";
  options.metrics = {"forget_Q_A_ROUGE"};
  const Json named = Measure(options, "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(named["forget_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
}

TEST(Columns, OfASectionGoBeforeTheFlag) {
  const fs::path set = SetWithOtherNames(), recipe = set.parent_path() / "sets.toml";
  WriteFile(recipe,
            "[own]\ndata = \"set.jsonl\"\nmetrics = [\"rouge\"]\n"
            "columns = \"prompt=question,response=answer\"\n"
            "[other]\ndata = \"set.jsonl\"\nmetrics = [\"rouge\"]\n");
  const Json results = Measure(Options("custom", recipe), "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(results["own_Q_A_ROUGE"]), HasSubstr("Question: Who?"));
  EXPECT_THAT(FirstInput(results["other_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
}

TEST(Columns, AreRefusedWhereFilesHaveOneForm) {
  for (const char* suite : {"wmdp", "mmlu", "muse"}) {
    EXPECT_THAT(Refusal(Options(suite, "nowhere"), "prompt=q,response=a"),
                HasSubstr(std::string("--columns: suite ") + suite));
  }
}

TEST(Columns, OfSafePkuAreThoseOfItsPairsAlone) {
  const fs::path folder = EmptyDirectory("suite_pku_columns");
  WriteFile(folder / "forget.jsonl", "{\"q\": \"How is it done?\", \"a\": \"Like this.\"}\n");
  WriteFile(folder / "test.jsonl", "{\"q\": \"And safely?\", \"a\": \"Like that.\"}\n");
  WriteFile(folder / "realtoxicityprompts.jsonl", "{\"prompt\": {\"text\": \"It was a\"}}\n");
  WriteFile(folder / "wiki.jsonl", "{\"text\": \"A text of some words.\"}\n");
  const Json results = Measure(Options("safepku", folder), "prompt=q,response=a");
  for (const char* result :
       {"forget_repetition", "test_repetition", "rtp_repetition", "perplexity"}) {
    EXPECT_TRUE(results[result]["agg_value"].is_number()) << result << ": " << results[result];
  }
}

}  // namespace
}  // namespace grin
