#include "grin/suite/results.h"

#include <gmock/gmock.h>

#include <cmath>

#include "grin/base/atomic_file.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Json LoadText(std::string_view text) {
  const fs::path path = Scratch("results") / "R.json";
  Put(path, text);
  return LoadResults(path);
}

std::string Refusal(std::string_view text) {
  return ErrorOf([&] { LoadText(text); });
}

fs::path Golden(const std::string& name) { return fs::path(GRIN_TEST_DATA) / "eval" / name; }

TEST(LoadResults, ReadsItsOwnFiles) {
  const Json results = LoadText(
      R"({"forget_truth_ratio": {"agg_value": 0.5, "value_by_index": {"10": {"score": 2.0},
          "2": {"score": 0.25}, "3": null, "4": {"score": null}}},
          "privleak": {"agg_value": null, "not_measured": "no holdout set"},
          "grin": {"format": "grin-results-1", "suite": "tofu", "parts": [{"file": 3}]}})");
  EXPECT_EQ(SourcesOf(results).size(), 1u);
  EXPECT_THAT(MetricNames(results), ElementsAre("forget_truth_ratio", "privleak"));
  EXPECT_EQ(results["grin"]["source"], "grin");
  EXPECT_EQ(results["grin"]["suite"], "tofu");
  EXPECT_EQ(AggregateOf(results, "forget_truth_ratio"), 0.5);
  EXPECT_EQ(AggregateOf(results, "privleak"), std::nullopt);
  EXPECT_EQ(WhyNotMeasured(results, "privleak"), "no holdout set");
  EXPECT_THAT(WhyNotMeasured(results, "mia_loss"), HasSubstr("R.json has no mia_loss"));
  // By number, and without the values that are null.
  EXPECT_THAT(ValuesOf(ValuesByIndex(results, "forget_truth_ratio")), ElementsAre(0.25, 2.0));
  EXPECT_TRUE(ValuesByIndex(results, "mia_loss").empty());
}

TEST(LoadResults, ReadsOpenUnlearningWithItsNamesAndItsNaN) {
  const Json results = LoadText(
      R"({"forget_truth_ratio": {"agg_value": NaN, "value_by_index": {"0": {"score": 1e-3}}},
          "retain_Truth_Ratio": {"agg_value": 0.5, "value_by_index": {"0": {"score": -Infinity}}},
          "retain_truth_ratio": {"agg_value": 0.25},
          "forget_Q_A_PERT_Prob": {"agg_value": 0.5, "value_by_index":
              {"0": {"prob": [0.25, 0.75], "avg_loss": [1, 3]}}},
          "mia_loss": {"agg_value": 0.75, "auc": 0.75, "forget": {"agg_value": 0.1,
              "value_by_index": {"0": {"score": 0.1}}}, "holdout": {}},
          "x": {"agg_value": 1, "text": "\"NaN\" stays, Infinity too"}})");
  EXPECT_EQ(results["grin"]["source"], "open-unlearning");
  EXPECT_FALSE(results.contains("retain_truth_ratio"));
  EXPECT_EQ(AggregateOf(results, "forget_truth_ratio"), std::nullopt);
  EXPECT_THAT(WhyNotMeasured(results, "forget_truth_ratio"), HasSubstr("not a number"));
  EXPECT_THAT(ValuesOf(ValuesByIndex(results, "forget_truth_ratio")), ElementsAre(1e-3));
  EXPECT_EQ(AggregateOf(results, "retain_Truth_Ratio"), 0.5);
  EXPECT_TRUE(ValuesByIndex(results, "retain_Truth_Ratio").empty());
  // Files of grin 0.1 had the name that OpenUnlearning gives to the other sets alone.
  const Json older = LoadText(R"({"forget_Truth_Ratio": {"agg_value": 0.5},
                                  "wf_truth_ratio": {"agg_value": 0.25}})");
  EXPECT_EQ(AggregateOf(older, "forget_truth_ratio"), 0.5);
  EXPECT_EQ(AggregateOf(older, "wf_Truth_Ratio"), 0.25);
  // The mean of a list, one value per wrong answer.
  EXPECT_THAT(ValuesOf(ValuesByIndex(results, "forget_Q_A_PERT_Prob", "avg_loss")), ElementsAre(2));
  EXPECT_EQ(results["x"]["text"], "\"NaN\" stays, Infinity too");
}

TEST(LoadResults, RefusesWhatIsNoResultsFile) {
  EXPECT_THAT(ErrorOf([] { LoadResults("/none/R.json"); }), HasSubstr("/none/R.json"));
  EXPECT_THAT(Refusal("{\"a\": {\"agg_value\": 1}, }"), HasSubstr("R.json:1:"));
  EXPECT_THAT(Refusal("{\"a\": NaNs}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("holds array"));
  EXPECT_THAT(Refusal("{}"), HasSubstr("has no keys; expected results"));
  EXPECT_THAT(Refusal("{\"a\": \"b\"}"), HasSubstr("has a; expected results"));
  EXPECT_THAT(Refusal("{\"a\": 1, \"b\": 0.5}"), HasSubstr("averages only"));
  EXPECT_THAT(Refusal("{\"grin_version\": \"1\", \"recipe\": {}}"), HasSubstr("record of a run"));
  EXPECT_THAT(Refusal("{\"avg_gt_loss\": {}}"), HasSubstr("give its eval_log_aggregated.json"));
  EXPECT_THAT(Refusal("{\"grin\": {\"format\": \"grin-results-9\"}}"), HasSubstr("grin-results-1"));
  EXPECT_THAT(Refusal("{\"grin\": 3}"), HasSubstr("grin-results-1"));
}

TEST(LoadResults, NamesTheMetricThatCannotBeUsed) {
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": 1}, "b": 3})"), HasSubstr("R.json: b is number"));
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": "1"}})"), HasSubstr("a: 'agg_value' is string"));
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": 1, "value_by_index": [1]}})"),
              HasSubstr("a: 'value_by_index' is array"));
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": 1, "value_by_index": {"one": {}}}})"),
              HasSubstr("a: 'one' is not the index"));
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": 1, "value_by_index": {"1": 5}}})"),
              HasSubstr("a:1: holds number"));
  EXPECT_THAT(Refusal(R"({"a": {"agg_value": 1, "forget": {"value_by_index": {"1": 5}}}})"),
              HasSubstr("a.forget:1: holds number"));
  EXPECT_THAT(ErrorOf([] {
                ValuesByIndex(LoadText(R"({"a": {"agg_value": 1, "value_by_index":
                                           {"7": {"score": "high"}}}})"),
                              "a");
              }),
              HasSubstr("a:7: 'score' is string"));
}

TEST(LegacyResults, AveragesAreThoseOfNumpyAndScipy) {
  const Json results = LoadResults(Golden("legacy_unlearned.json"));
  const Json expected = Json::parse(ReadFile(Golden("legacy_expected.json")));
  EXPECT_EQ(results["grin"]["source"], "locuslab");
  for (const auto& [metric, value] : expected["averages"].items()) {
    ASSERT_TRUE(AggregateOf(results, metric)) << metric;
    EXPECT_NEAR(*AggregateOf(results, metric), value.get<double>(), 1e-12) << metric;
  }
  const std::vector<double> ratios = ValuesOf(ValuesByIndex(results, "forget_truth_ratio"));
  for (size_t i = 0; i < expected["truth_ratios"].size(); ++i) {
    EXPECT_NEAR(ratios[i], expected["truth_ratios"][i].get<double>(), 1e-12);
  }
  const Json& answer = results["forget_Q_A_ROUGE"]["value_by_index"]["3"];
  EXPECT_EQ(answer["input"], "Question 3?");
  EXPECT_EQ(answer["generation"], "An answer 3");
  EXPECT_EQ(answer["ground_truth"], "The answer 3");
}

TEST(LegacyResults, WhatIsMissingIsNotMeasured) {
  const Json results = LoadText(
      R"({"eval_log_forget.json": {"avg_gt_loss": {"0": 1.0, "1": NaN},
          "avg_paraphrased_loss": {"0": 1.0}}})");
  EXPECT_EQ(AggregateOf(results, "forget_Q_A_Prob"), std::nullopt);
  EXPECT_THAT(WhyNotMeasured(results, "forget_Q_A_Prob"), HasSubstr("not finite"));
  EXPECT_NEAR(*AggregateOf(results, "forget_Q_A_PARA_Prob"), std::exp(-1.0), 1e-15);
  EXPECT_THAT(WhyNotMeasured(results, "forget_truth_ratio"), HasSubstr("average_perturb_loss"));
  EXPECT_THAT(MetricNames(results), Not(testing::Contains("retain_Q_A_Prob")));
}

TEST(LegacyResults, RefusesColumnsThatDoNotFit) {
  const auto refusal = [](const std::string& columns) {
    return Refusal("{\"eval_log.json\": {" + columns + "}}");
  };
  EXPECT_THAT(Refusal("{\"eval_log.json\": 3}"), HasSubstr("eval_log.json: holds number"));
  EXPECT_THAT(refusal(R"("avg_gt_loss": {"0": "a"})"),
              AllOf(HasSubstr("eval_log.json: avg_gt_loss:0: holds string")));
  EXPECT_THAT(refusal(R"("avg_gt_loss": {})"), HasSubstr("avg_gt_loss: holds nothing"));
  EXPECT_THAT(refusal(R"("avg_gt_loss": [1])"), HasSubstr("avg_gt_loss: holds array"));
  EXPECT_THAT(refusal(R"("average_perturb_loss": {"0": 2})"),
              HasSubstr("average_perturb_loss:0: holds number"));
  EXPECT_THAT(refusal(R"("avg_paraphrased_loss": {"0": 1, "1": 1},
                         "average_perturb_loss": {"0": [1]})"),
              HasSubstr("average_perturb_loss has no example 1"));
}

}  // namespace
}  // namespace grin
