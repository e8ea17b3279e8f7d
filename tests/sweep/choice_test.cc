// Which setting wins, on figures that are made up.

#include "grin/sweep/choice.h"

#include <gmock/gmock.h>

#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

// A figure by four records.
MeasuredFigure ByRecords(std::vector<double> records) {
  MeasuredFigure figure;
  double sum = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    figure.records[static_cast<int64_t>(i)] = records[i];
    sum += records[i];
  }
  figure.value = sum / static_cast<double>(records.size());
  return figure;
}

MeasuredFigure PlainFigure(double value) { return {.value = value, .records = {}}; }

// Utility, and one figure of an attack with as much left as that.
RunFigures MadeUp(double utility, double left) {
  return {
      {"retain",
       {.model = PlainFigure(utility), .before = PlainFigure(0.9), .reference = PlainFigure(0.9)}},
      {"relearn",
       {.model = PlainFigure(left),
        .before = PlainFigure(1),
        .reference = PlainFigure(0),
        .is_knowledge = true}}};
}

TEST(SweepFigure, CountsTheRecordsOfAHalf) {
  const MeasuredFigure figure = ByRecords({1, 0, 0, 0, 1});
  EXPECT_THAT(figure.Of(Records::kAll), Optional(DoubleNear(0.4, 1e-15)));
  EXPECT_THAT(figure.Of(Records::kEven), Optional(DoubleNear(2.0 / 3, 1e-15)));
  EXPECT_THAT(figure.Of(Records::kOdd), Optional(0.0));
  EXPECT_THAT(PlainFigure(0.3).Of(Records::kOdd), Optional(0.3));
  EXPECT_EQ((MeasuredFigure{.value = {}, .records = {{0, 1.0}}}).Of(Records::kEven), std::nullopt);
  EXPECT_EQ((MeasuredFigure{.value = 1.0, .records = {{0, 1.0}}}).Of(Records::kOdd), std::nullopt);
}

TEST(SweepFigure, HasRecordsWhereItIsTheirMean) {
  const Json results = {{"mean",
                         {{"agg_value", 0.5},
                          {"value_by_index", {{"0", {{"score", 1.0}}}, {"1", {{"score", 0.0}}}}}}},
                        {"other",
                         {{"agg_value", 0.7},
                          {"value_by_index", {{"0", {{"score", 1.0}}}, {"1", {{"score", 0.0}}}}}}},
                        {"none", {{"agg_value", nullptr}}}};
  const auto figures = FiguresOfEval(results, nullptr, nullptr);
  EXPECT_EQ(figures.at("mean").records.size(), 2u);
  EXPECT_TRUE(figures.at("other").records.empty());
  EXPECT_EQ(figures.at("none").value, std::nullopt);
}

TEST(SweepFigure, IsTheSameFromItsFile) {
  RunFigures figures = MadeUp(0.8, 1.0 / 3);
  figures["records"] = {.model = ByRecords({0.1, 0.7}), .before = ByRecords({1, 1})};
  const Json json = FiguresToJson(figures);
  EXPECT_EQ(FiguresToJson(FiguresFromJson(Json::parse(json.dump()))), json);
}

TEST(SweepChoice, TakesTheLeastLeftOfThoseThatKeepTheFloor) {
  const ChooseOptions options{.utility = {"retain"}, .floor = 0.97, .left = {kCameBack}};
  const auto judged = [&](double utility, double left) {
    return JudgeSetting({MadeUp(utility, left)}, options, Records::kAll);
  };
  EXPECT_THAT(judged(0.81, 0.2).utility, Optional(DoubleNear(0.9, 1e-15)));
  EXPECT_EQ(Choose({judged(0.9, 0.5), judged(0.9, 0.3), judged(0.5, 0)}, 0.97), 1u);
  EXPECT_EQ(Choose({judged(0.9, 0.5), judged(0.9, 0.3), judged(0.5, 0)}, 0.5), 2u);
  EXPECT_EQ(Choose({judged(0.5, 0.5)}, 0.97), std::nullopt);
  EXPECT_EQ(Choose({judged(0.89, 0.3), judged(0.9, 0.3)}, 0.97), 1u);  // equal: the higher utility
  EXPECT_EQ(Choose({judged(0.9, 0.3), judged(0.9, 0.3)}, 0.97), 0u);
  EXPECT_EQ(Choose({Judgement{}, judged(0.9, 0.3)}, 0.97), 1u);
}

TEST(SweepChoice, TakesMeansOverTheSeeds) {
  const ChooseOptions options{.utility = {"retain"}, .floor = 0.97, .left = {kCameBack}};
  const Judgement judgement =
      JudgeSetting({MadeUp(0.9, 0.1), MadeUp(0.45, 0.4)}, options, Records::kAll);
  EXPECT_THAT(judgement.utility, Optional(DoubleNear(0.75, 1e-15)));
  EXPECT_THAT(judgement.left, Optional(DoubleNear(0.25, 1e-15)));
  // A seed in which it was not measured is not passed over.
  RunFigures without = MadeUp(0.9, 0.1);
  without.erase("relearn");
  EXPECT_EQ(JudgeSetting({MadeUp(0.9, 0.1), without}, options, Records::kAll).left, std::nullopt);
}

TEST(SweepChoice, ChoosesByOneHalfAndReportsTheOther) {
  // On even records the first forgets more, on odd ones the second does.
  const auto setting = [](std::vector<double> left) {
    RunFigures figures = MadeUp(0.9, 0);
    figures["relearn"] = {.model = ByRecords(std::move(left)),
                          .before = ByRecords({1, 1, 1, 1}),
                          .reference = ByRecords({0, 0, 0, 0}),
                          .is_knowledge = true};
    return figures;
  };
  const ChooseOptions options{
      .utility = {"retain"}, .floor = 0.97, .left = {kCameBack}, .held_out = true};
  const std::vector<RunFigures> settings = {setting({0, 1, 0, 1}), setting({1, 0, 0.5, 0})};
  const auto judge = [&](Records which) {
    return std::vector{JudgeSetting({settings[0]}, options, which),
                       JudgeSetting({settings[1]}, options, which)};
  };
  EXPECT_EQ(Choose(judge(Records::kEven), 0.97), 0u);
  EXPECT_EQ(Choose(judge(Records::kOdd), 0.97), 1u);
  EXPECT_EQ(Choose(judge(Records::kAll), 0.97), 1u);
  EXPECT_THAT(judge(Records::kOdd)[0].left, Optional(1.0));  // what the choice did not see
}

TEST(SweepChoice, MeasuresWhatIsLeft) {
  RunFigures figures = MadeUp(0.9, 0.3);
  // Of all that came back the largest share counts.
  figures["round"] = {.model = PlainFigure(0.5),
                      .before = PlainFigure(0.9),
                      .reference = PlainFigure(0.1),
                      .is_knowledge = true};
  EXPECT_THAT(LargestCameBack(figures, Records::kAll), Optional(DoubleNear(0.5, 1e-15)));
  // A distance, to either side of the never-taught model.
  figures["probability"] = {
      .model = PlainFigure(0.1), .before = PlainFigure(1), .reference = PlainFigure(0.2)};
  EXPECT_THAT(LeftOf(figures, "probability", Records::kAll), Optional(DoubleNear(0.125, 1e-15)));
  figures["alone"] = {.model = PlainFigure(0.4), .before = PlainFigure(1)};
  EXPECT_THAT(LeftOf(figures, "alone", Records::kAll), Optional(0.4));
  figures["flat"] = {
      .model = PlainFigure(0.4), .before = PlainFigure(1), .reference = PlainFigure(1)};
  EXPECT_EQ(LeftOf(figures, "flat", Records::kAll), std::nullopt);
}

TEST(SweepChoice, IsHopelessBelowAShareOfOneUtility) {
  const RunFigures figures = MadeUp(0.7, 0);
  EXPECT_TRUE(IsHopeless(figures, {"retain"}, 0.8, Records::kAll));
  EXPECT_FALSE(IsHopeless(figures, {"retain"}, 0.7, Records::kAll));
  EXPECT_FALSE(IsHopeless(figures, {"unmeasured"}, 0.8, Records::kAll));
}

TEST(SweepChoice, SpreadsOverSeeds) {
  EXPECT_EQ(SpreadOf({}), std::nullopt);
  EXPECT_EQ(SpreadOf({0.4})->deviation, 0);
  const auto spread = SpreadOf({1, 2, 3, 4});
  EXPECT_DOUBLE_EQ(spread->mean, 2.5);
  EXPECT_NEAR(spread->deviation, 1.2909944487358056, 1e-15);  // statistics.stdev of Python
}

TEST(SweepChoice, KnowsItsFigures) {
  const std::vector<std::string> known = {"forget_keyword_accuracy", "model_utility"};
  const ChooseOptions settled = SettleChoice({}, known, /*attacks=*/false);
  EXPECT_THAT(settled.utility, ElementsAre("model_utility"));
  EXPECT_THAT(settled.left, ElementsAre("forget_keyword_accuracy"));
  EXPECT_THAT(SettleChoice({}, known, /*attacks=*/true).left, ElementsAre(kCameBack));
  EXPECT_THAT(MessageOf([&] { SettleChoice({.utility = {"model_utilty"}}, known, false); }),
              HasSubstr("did you mean model_utility?"));
  EXPECT_THAT(MessageOf([&] { SettleChoice({.left = {kCameBack}}, known, false); }),
              HasSubstr("no figure 'came_back'"));
}

}  // namespace
}  // namespace grin
