// What the figures of three models say together.

#include "grin/attack/attack_results.h"

#include <gmock/gmock.h>

#include "tests/attack/attacked_toys.h"

namespace grin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(CameBack, IsTheWayFromNeverToBefore) {
  EXPECT_DOUBLE_EQ(*CameBack(0.5, 0.9, 0.1), 0.5);
  EXPECT_EQ(*CameBack(0.05, 0.9, 0.1), 0);  // below never taught
  EXPECT_EQ(*CameBack(0.95, 0.9, 0.1), 1);
  EXPECT_DOUBLE_EQ(*CameBack(0.3, 0.6, std::nullopt), 0.5);
  EXPECT_FALSE(CameBack(0.3, 0.55, 0.5));  // both know as much: nothing can be told
  EXPECT_FALSE(CameBack(std::nullopt, 0.9, 0.1));
  EXPECT_FALSE(CameBack(0.5, std::nullopt, 0.1));
}

Json Metric(const char* attack, double model, double before, double never) {
  const auto share = CameBack(model, before, never);
  return {{"agg_value", model},  {"before", before},
          {"reference", never},  {"attack", attack},
          {"label", "so asked"}, {"came_back", share ? Json(*share) : Json()}};
}

Json VerdictOfFigures(double shown, double attacked, double retain = 0.98) {
  return AttackVerdict({{"plain_generated_keywords", Metric("plain", shown, 1, 0)},
                        {"plain_retain_keyword_accuracy",
                         {{"agg_value", retain}, {"before", 1.0}, {"attack", "plain"}}},
                        {"relearn_keyword_accuracy", Metric("relearn", attacked, 1, 0)}});
}

TEST(AttackVerdict, TellsTheKindsApart) {
  const auto headline = [](const Json& verdict) { return verdict["headline"].get<std::string>(); };
  EXPECT_THAT(headline(VerdictOfFigures(0.02, 0.1)), StartsWith("Stays forgotten"));
  EXPECT_EQ(VerdictOfFigures(0.02, 0.1)["tone"], "good");
  EXPECT_THAT(headline(VerdictOfFigures(0.02, 0.9)),
              AllOf(StartsWith("Only keeps silent"), HasSubstr("2 %"), HasSubstr("90 %")));
  EXPECT_THAT(headline(VerdictOfFigures(0.3, 0.9)), StartsWith("Comes back: 90 %"));
  EXPECT_THAT(headline(VerdictOfFigures(0.1, 0.3)), StartsWith("Comes back in part: 30 %"));
  EXPECT_EQ(VerdictOfFigures(0.1, 0.3)["tone"], "fair");
  EXPECT_THAT(headline(VerdictOfFigures(0.8, 0.9)), StartsWith("Not forgotten"));
  // A destroyed model knows nothing, and that is no forgetting.
  const Json damaged = VerdictOfFigures(0, 0, 0.3);
  EXPECT_THAT(headline(damaged), HasSubstr("the model is damaged"));
  EXPECT_EQ(damaged["tone"], "fair");
  // Where the model before does not know either, nothing can be told.
  const Json unknown = AttackVerdict({{"leak_at_1", Metric("sample", 0.0, 0.05, 0.0)}});
  EXPECT_THAT(headline(unknown), StartsWith("Cannot be told"));
  EXPECT_EQ(unknown["tone"], "unknown");
}

Json ResultsOf(const std::string& model) {
  const AttackOptions options{.relearn_budgets = {"hard=6@1e-3"},
                              .relearn_batch_size = 4,
                              .samples = 8,
                              .max_new_tokens = 12};
  std::vector<AttackedModels> attacked = {{.attack = &PlainQuestions()}};
  for (const Attack& attack : KnownAttacks()) attacked.push_back({.attack = &attack});
  for (AttackedModels& one : attacked) {
    const auto figures = [&](const std::string& name) {
      const AttackedToy toy(name, options);
      return one.attack->run(toy.input(), toy.subject());
    };
    one.model = figures(model);
    one.before = figures("before");
    one.reference = figures("never");
  }
  return AttackResults(attacked);
}

// A model that only refuses looks forgotten where one merely asks, and is told from one that never
// heard of the facts.
TEST(AttackVerdict, AModelThatOnlyRefusesIsNoNeverTaughtOne) {
  const Json silent = ResultsOf("silent");
  EXPECT_EQ(silent["plain_refusals"]["agg_value"], 1.0);
  EXPECT_EQ(silent["plain_generated_keywords"]["agg_value"], 0.0);
  const Json verdict = AttackVerdict(silent);
  EXPECT_THAT(verdict["headline"].get<std::string>(), StartsWith("Only keeps silent"))
      << silent.dump(1);
  EXPECT_EQ(verdict["tone"], "poor");

  const Json never = ResultsOf("never");
  EXPECT_THAT(AttackVerdict(never)["headline"].get<std::string>(), StartsWith("Stays forgotten"));
  const Json before = ResultsOf("before");
  EXPECT_THAT(AttackVerdict(before)["headline"].get<std::string>(), StartsWith("Not forgotten"));
  EXPECT_EQ(AttackVerdict(before)["worst"], 1.0);
}

TEST(AttackResults, HaveTheLayoutOfResults) {
  AttackFigure model{.name = "relearn_keyword_accuracy", .label = "hard"};
  model.SetRecords({{0, 1.0}, {2, 0.5}});
  model.start = 0.25;
  model.curve = {{0, 0.25}, {4, 0.75}};
  model.details = {{"lr", 0.1}};
  model.record_details[2] = {{"leaks", 3}};
  AttackFigure before = model, never = model;
  before.SetRecords({{0, 1.0}, {2, 1.0}});
  never.SetRecords({});
  const AttackedModels attacked{.attack = &AttackNamed("relearn"),
                                .model = {model},
                                .before = {before},
                                .reference = {never}};
  const Json result = AttackResults({attacked})["relearn_keyword_accuracy"];
  EXPECT_EQ(result["agg_value"], 0.75);
  EXPECT_EQ(result["before"], 1.0);
  EXPECT_TRUE(result["reference"].is_null());
  EXPECT_EQ(result["attack"], "relearn");
  EXPECT_EQ(result["lr"], 0.1);
  EXPECT_EQ(result["interval"].size(), 2u);
  EXPECT_EQ(result["curve"][1]["step"], 4);
  EXPECT_EQ(result["curve"][1]["agg_value"], 0.75);
  EXPECT_EQ(result["value_by_index"]["2"]["score"], 0.5);
  EXPECT_EQ(result["value_by_index"]["2"]["before"], 1.0);
  EXPECT_EQ(result["value_by_index"]["2"]["leaks"], 3);
}

}  // namespace
}  // namespace grin
