// What the suites say of a model that has no finite log-probabilities: never a figure.

#include <gmock/gmock.h>

#include <cmath>

#include "grin/suite/suite.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// The suite's results where the first `lost` sequences that it asks for have NaN throughout.
Json ResultsWithNaN(const SuiteOptions& options, size_t lost, const Json& reference = {}) {
  const auto checkpoint = Checkpoint::Open(fs::path(GRIN_TEST_DATA) / "eval/tofu/model");
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, {.template_name = "qa"});
  EvalPlan plan;
  const FinishSuite finish = FindSuite(options.suite)
                                 .plan({.options = options,
                                        .encoder = encoder,
                                        .context = model.config.context,
                                        .reference = reference,
                                        .note_input = [](const auto&, int64_t) {},
                                        .reference_plan = nullptr},
                                       plan);
  EngineResults engines = plan.Run(model, encoder);
  for (size_t i = 0; i < std::min(lost, engines.scores.size()); ++i) {
    for (float& logp : engines.scores[i].logp) logp = std::nanf("");
  }
  return finish(engines, nullptr);
}

std::string WhyOf(const Json& results, const std::string& metric) {
  EXPECT_TRUE(results.at(metric).at("agg_value").is_null()) << metric;
  return results.at(metric).value("not_measured", "");
}

constexpr const char* kQuestions =
    R"([{"subject": "algebra", "question": "One?", "choices": ["a", "b"], "answer": 0},
        {"subject": "algebra", "question": "Two?", "choices": ["a", "b"], "answer": 1},
        {"subject": "biology", "question": "Three?", "choices": ["a", "b"], "answer": 1}])";

TEST(BrokenModel, WmdpIsNotMeasured) {
  SuiteOptions options;
  options.suite = "wmdp";
  options.split = "all";
  options.data = EmptyDirectory("broken_wmdp").string();
  WriteFile(fs::path(options.data) / "bio_questions.json", kQuestions);
  const Json results = ResultsWithNaN(options, 1);
  EXPECT_EQ(WhyOf(results, "wmdp_bio"), "1 of 3 questions have no finite log-probabilities");
  const Json& values = results["wmdp_bio"]["value_by_index"];
  EXPECT_TRUE(values["0"]["choice"].is_null());
  EXPECT_TRUE(values["0"]["score"].is_null());
  EXPECT_TRUE(values["1"]["choice"].is_number());
  EXPECT_TRUE(ResultsWithNaN(options, 0)["wmdp_bio"]["agg_value"].is_number());
}

TEST(BrokenModel, OnlyTheSubjectsThatLackAnAnswerAreNotMeasured) {
  SuiteOptions options;
  options.suite = "mmlu";
  options.split = "all";
  options.data = EmptyDirectory("broken_mmlu").string();
  WriteFile(fs::path(options.data) / "test.json", kQuestions);
  const Json results = ResultsWithNaN(options, 1);
  EXPECT_EQ(WhyOf(results, "mmlu_algebra"), "1 of 2 questions have no finite log-probabilities");
  EXPECT_EQ(WhyOf(results, "mmlu"), "1 of 3 questions have no finite log-probabilities");
  EXPECT_TRUE(results["mmlu"]["macro"].is_null());
  EXPECT_TRUE(results["mmlu_biology"]["agg_value"].is_number());
  EXPECT_TRUE(ResultsWithNaN(options, 0)["mmlu"]["macro"].is_number());
}

TEST(BrokenModel, PerplexityIsNotMeasured) {
  SuiteOptions options;
  options.suite = "perplexity";
  const fs::path text = EmptyDirectory("broken_perplexity") / "text.txt";
  WriteFile(text, "Where was the author born? The author was born in Lisbon.");
  options.data = text.string();
  EXPECT_THAT(WhyOf(ResultsWithNaN(options, 1), "perplexity"),
              testing::MatchesRegex("1 of [0-9]+ windows have no finite log-probability"));
  EXPECT_TRUE(ResultsWithNaN(options, 0)["perplexity"]["agg_value"].is_number());
}

TEST(BrokenModel, TofuIsNotMeasuredAndTheRunIsNotLost) {
  SuiteOptions options;
  options.data = std::string(GRIN_TEST_DATA) + "/eval/tofu";
  options.split = "forget01";
  options.holdout = "holdout01";
  const Json sound = ResultsWithNaN(options, 0);
  const Json results = ResultsWithNaN(options, 100000, sound);
  for (const char* metric :
       {"forget_Q_A_Prob", "forget_keyword_accuracy", "forget_keyword_confidence",
        "exact_memorization", "retain_Q_A_Prob"}) {
    EXPECT_THAT(WhyOf(results, metric), HasSubstr("have no finite log-probability")) << metric;
  }
  for (const char* metric : {"forget_quality", "model_utility", "mia_min_k", "privleak"}) {
    EXPECT_NE(WhyOf(results, metric), "") << metric;
  }
}

}  // namespace
}  // namespace grin
