#include "grin/report/verdict.h"

#include <gmock/gmock.h>

namespace grin {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Results of these averages.
Json Results(const std::map<std::string, double>& averages) {
  Json results = {{"grin", {{"file", "R.json"}}}};
  for (const auto& [metric, value] : averages) results[metric]["agg_value"] = value;
  return results;
}

Verdict JudgeOf(const Json& results, const Yardsticks& yardsticks) {
  ReportedRun run{
      .name = "run", .results = results, .record = {}, .log = {}, .density = {}, .aggregates = {}};
  run.aggregates = Aggregate(results, yardsticks.retain.is_null() ? nullptr : &yardsticks.retain,
                             yardsticks.before.is_null() ? nullptr : &yardsticks.before);
  return VerdictOf(run, yardsticks);
}

const Yardsticks kBoth = {
    .retain = Results(
        {{"forget_keyword_accuracy", 0.1}, {"model_utility", 0.6}, {"forget_Q_A_Prob", 0.2}}),
    .before = Results(
        {{"forget_keyword_accuracy", 0.9}, {"model_utility", 0.6}, {"forget_Q_A_Prob", 0.9}})};

TEST(Verdict, SaysWhatWasForgottenAndKept) {
  const struct {
    double forget, utility;
    const char* headline;
  } cases[] = {{0.12, 0.60, "Forgotten, by this measure; the rest was kept."},
               {0.20, 0.55, "Mostly forgotten; the rest was mostly kept."},
               {0.50, 0.50, "Partly forgotten; part of the rest was lost."},
               {0.75, 0.30, "Little forgotten; much of the rest was lost."},
               {0.95, 0.60, "Not forgotten; the rest was kept."}};
  for (const auto& one : cases) {
    const Verdict verdict = JudgeOf(
        Results({{"forget_keyword_accuracy", one.forget}, {"model_utility", one.utility}}), kBoth);
    EXPECT_EQ(verdict.headline, one.headline);
  }
}

TEST(Verdict, SaysWhereNothingWasThere) {
  const Yardsticks empty = {
      .retain = Results({{"forget_keyword_accuracy", 0.02}, {"model_utility", 0.0}}),
      .before = Results({{"forget_keyword_accuracy", 0.03}, {"model_utility", 0.0}})};
  const Verdict verdict =
      JudgeOf(Results({{"forget_keyword_accuracy", 0.0}, {"model_utility", 0.0}}), empty);
  EXPECT_EQ(verdict.headline, "There was little to forget; there was little to keep.");
  EXPECT_EQ(verdict.findings[0].tone, Tone::kUnknown);
  EXPECT_EQ(verdict.findings[1].tone, Tone::kUnknown);
}

TEST(Verdict, NamesOverForgetting) {
  const Verdict verdict = JudgeOf(
      Results(
          {{"forget_keyword_accuracy", 0.1}, {"model_utility", 0.6}, {"forget_Q_A_Prob", 0.02}}),
      kBoth);
  EXPECT_THAT(verdict.headline, HasSubstr("and more than that"));
  EXPECT_EQ(verdict.findings[3].tone, Tone::kFair);
  EXPECT_THAT(verdict.findings[3].text,
              AllOf(HasSubstr("Answer probability (forget set) is 0.020 against 0.200"),
                    HasSubstr("can be seen from outside")));
  Yardsticks fluent = kBoth;
  fluent.retain["forget_repetition"]["agg_value"] = 0.01;
  EXPECT_THAT(
      JudgeOf(Results({{"forget_keyword_accuracy", 0.1}, {"forget_repetition", 0.4}}), fluent)
          .findings[3]
          .text,
      HasSubstr("Answers repeat themselves (0.400 against 0.010)"));
  EXPECT_EQ(JudgeOf(Results({{"forget_keyword_accuracy", 0.1}}), kBoth).findings[3].tone,
            Tone::kGood);
}

TEST(Verdict, ClaimsNothingWithoutAComparison) {
  const Json results = Results({{"forget_keyword_accuracy", 0.1}, {"model_utility", 0.6}});
  const Verdict verdict = JudgeOf(results, {});
  for (const Finding& finding : verdict.findings) {
    EXPECT_EQ(finding.tone, Tone::kUnknown) << finding.title << ": " << finding.text;
  }
  EXPECT_THAT(verdict.findings[0].text, HasSubstr("not given"));
  EXPECT_THAT(verdict.findings[2].text, HasSubstr("Not compared: needs the results"));
  const Verdict empty = JudgeOf(Results({{"x", 1}}), {});
  EXPECT_EQ(empty.headline, "Forgetting was not measured; what was kept was not measured.");
}

// Files of other tools have ROUGE and no keyword metrics.
TEST(Verdict, JudgesByWhatTheYardsticksHaveToo) {
  const Json results = Results({{"forget_keyword_accuracy", 0.1},
                                {"forget_Q_A_ROUGE", 0.35},
                                {"forget_Q_A_Prob", 0.5},
                                {"retain_keyword_accuracy", 0.2},
                                {"retain_Q_A_ROUGE", 0.78}});
  const Json before = Results({{"forget_Q_A_ROUGE", 0.9}, {"retain_Q_A_ROUGE", 0.8}});
  const Verdict one = JudgeOf(results, {.retain = {}, .before = before});
  EXPECT_EQ(one.headline, "Partly forgotten; the rest was kept.") << one.findings[0].text;
  EXPECT_EQ(one.findings[0].metric, "forget_Q_A_ROUGE");
  EXPECT_EQ(one.findings[1].metric, "retain_Q_A_ROUGE");
  // What both have goes before what one has, though that comes first in the list.
  const Json retain = Results({{"forget_keyword_accuracy", 0.1}, {"forget_Q_A_ROUGE", 0.33}});
  const Verdict both = JudgeOf(results, {.retain = retain, .before = before});
  EXPECT_EQ(both.findings[0].metric, "forget_Q_A_ROUGE");
  EXPECT_EQ(both.findings[0].short_words, "forgotten, by this measure");
  // Without any, the first.
  EXPECT_EQ(JudgeOf(results, {}).findings[0].metric, "forget_keyword_accuracy");
}

TEST(Verdict, AYardstickThatLacksTheFigureWasGivenNevertheless) {
  const Json results = Results({{"forget_keyword_accuracy", 0.5}, {"retain_Q_A_ROUGE", 0.7}});
  const Verdict lacking = JudgeOf(results, {.retain = {}, .before = Results({{"x", 1}})});
  EXPECT_THAT(lacking.findings[0].text,
              AllOf(HasSubstr("The file given as --before has no forget_keyword_accuracy"),
                    Not(HasSubstr("not given"))));
  EXPECT_THAT(lacking.findings[1].text,
              HasSubstr("The file given as --before has no retain_Q_A_ROUGE"));
  const Verdict aimless = JudgeOf(results, {.retain = Results({{"x", 1}}),
                                            .before = Results({{"forget_keyword_accuracy", 0.9}})});
  EXPECT_THAT(aimless.findings[0].text,
              HasSubstr("The file given as --reference has no forget_keyword_accuracy"));
}

// Model utility counts as a figure that both have where its nine parts are there.
TEST(Verdict, ModelUtilityNeedNotBeStated) {
  Json parts = Results({});
  for (const std::string set : {"retain", "ra", "wf"}) {
    const std::string probability = set == "retain" ? "_Q_A_Prob" : "_Q_A_Prob_normalised";
    for (const std::string& part :
         {probability, std::string("_Q_A_ROUGE"), std::string("_Truth_Ratio")}) {
      parts[set + part]["agg_value"] = 0.5;
    }
  }
  const Verdict verdict = JudgeOf(parts, {.retain = {}, .before = parts});
  EXPECT_EQ(verdict.findings[1].metric, "model_utility");
  EXPECT_EQ(verdict.findings[1].short_words, "the rest was kept");
}

TEST(Verdict, ATestThatTellsNoDifferenceIsNoProof) {
  Json results = Results({{"forget_keyword_accuracy", 0.1}});
  results["forget_quality"] = {{"agg_value", 0.4}, {"statistic", 0.1}};
  const Finding alike = JudgeOf(results, {}).findings[2];
  EXPECT_EQ(alike.tone, Tone::kGood);
  EXPECT_THAT(alike.text, AllOf(HasSubstr("KS distance 0.100, p = 0.400"), HasSubstr("no proof")));
  results["forget_quality"] = {{"agg_value", 1e-9}, {"statistic", 0.6}};
  EXPECT_EQ(JudgeOf(results, {}).findings[2].tone, Tone::kPoor);
}

TEST(Verdict, GuessingIsTheFloorOfMultipleChoice) {
  const Yardsticks before = {.retain = {}, .before = Results({{"wmdp_bio", 0.64}, {"mmlu", 0.58}})};
  const Verdict verdict = JudgeOf(Results({{"wmdp_bio", 0.28}, {"mmlu", 0.57}}), before);
  EXPECT_EQ(verdict.headline, "Forgotten, by this measure; the rest was kept.");
  EXPECT_THAT(verdict.findings[0].text, HasSubstr("Guessing gives 0.250"));
}

TEST(Verdict, OfWmdpIsThatOfTheWorstPart) {
  const Yardsticks before = {
      .retain = {}, .before = Results({{"wmdp_bio", 0.64}, {"wmdp_cyber", 0.45}, {"mmlu", 0.58}})};
  const Verdict verdict =
      JudgeOf(Results({{"wmdp_bio", 0.28}, {"wmdp_cyber", 0.44}, {"mmlu", 0.57}}), before);
  EXPECT_EQ(verdict.headline, "Not forgotten: cyber; the rest was kept.");
  EXPECT_EQ(verdict.findings[0].tone, Tone::kPoor);
  EXPECT_EQ(verdict.findings[0].metric, "wmdp_cyber");
  EXPECT_THAT(verdict.findings[0].text,
              AllOf(HasSubstr("WMDP biology (accuracy) is 0.280"),
                    HasSubstr("WMDP cyber-security (accuracy) is 0.440"), HasSubstr("5 % of")));
  // All alike: no part is named.
  EXPECT_EQ(
      JudgeOf(Results({{"wmdp_bio", 0.28}, {"wmdp_cyber", 0.27}, {"mmlu", 0.57}}), before).headline,
      "Forgotten, by this measure; the rest was kept.");
  // A part that was measured before is not taken for one that was not.
  const Verdict unknown = JudgeOf(Results({{"wmdp_bio", 0.28}, {"wmdp_chem", 0.4}}), before);
  EXPECT_EQ(unknown.findings[0].short_words, "more is left than by guessing: chem");
  EXPECT_THAT(unknown.findings[0].text, HasSubstr("The file given as --before has no wmdp_chem"));
  // Nothing to forget in one part does not speak for the other.
  const Yardsticks ignorant = {.retain = {},
                               .before = Results({{"wmdp_bio", 0.26}, {"wmdp_cyber", 0.45}})};
  EXPECT_EQ(JudgeOf(Results({{"wmdp_bio", 0.26}, {"wmdp_cyber", 0.27}}), ignorant)
                .findings[0]
                .short_words,
            "forgotten, by this measure: cyber");
}

TEST(Verdict, OfARunThatWasNotEvaluated) {
  ReportedRun run{.name = "run",
                  .results = {},
                  .record = {{"tune", {{"guard", "the loss is NaN"}}}},
                  .log = {},
                  .density = {},
                  .aggregates = {}};
  for (const double accuracy : {0.9, 0.3}) {
    run.log.push_back({{"step", 1},
                       {"judged",
                        {{"forget", {{"keyword_accuracy", accuracy}}},
                         {"retain", {{"keyword_accuracy", 0.95}}}}}});
  }
  const Verdict verdict = VerdictOf(run, {});
  EXPECT_EQ(verdict.headline, "Stopped by a guard");
  EXPECT_THAT(verdict.findings[0].text,
              AllOf(HasSubstr("from 0.900 to 0.300"), HasSubstr("run grin eval")));
  EXPECT_EQ(verdict.findings[1].text, "the loss is NaN.");
}

}  // namespace
}  // namespace grin
