#include "grin/suite/aggregate.h"

#include <gmock/gmock.h>

#include "grin/base/atomic_file.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Json Load(const std::string& name) { return LoadResults(fs::path(GRIN_TEST_DATA) / name); }

void ExpectSame(const Aggregates& aggregates, const Json& expected) {
  for (const AggregateInfo& info : kAggregates) {
    if (!expected.contains(info.name)) continue;
    const Measure& measure = aggregates.*info.measure;
    ASSERT_TRUE(measure) << info.name << ": " << measure.why;
    const double value = expected[std::string(info.name)];
    EXPECT_NEAR(*measure.value, value, 1e-9 * value) << info.name;
  }
}

TEST(Aggregate, IsWhatNumpyAndScipyCompute) {
  const Json expected =
      Json::parse(ReadFile(fs::path(GRIN_TEST_DATA) / "report" / "expected.json"));
  const Json never = Load("report/never.json"), before = Load("report/before.json");
  for (const char* name : {"unlearned", "broken"}) {
    SCOPED_TRACE(name);
    const Json results = Load(std::string("report/") + name + ".json");
    ExpectSame(Aggregate(results, &never, &before), expected[name]);
  }
}

TEST(Aggregate, ReadsLocuslabsFilesAsItsAggregateScript) {
  const Json expected =
      Json::parse(ReadFile(fs::path(GRIN_TEST_DATA) / "eval" / "legacy_expected.json"));
  const Json results = Load("eval/legacy_unlearned.json"), retain = Load("eval/legacy_retain.json");
  const Aggregates aggregates = Aggregate(results, &retain, nullptr);
  EXPECT_NEAR(*aggregates.forget_quality.value, expected["forget_quality"].get<double>(), 1e-9);
  EXPECT_NEAR(*aggregates.forget_distance.value, expected["statistic"].get<double>(), 1e-12);
  EXPECT_NEAR(*aggregates.model_utility.value, expected["model_utility"].get<double>(), 1e-12);
}

TEST(Aggregate, WhatIsMissingHasAReasonAndNoNumber) {
  const Json results = Load("report/unlearned.json");
  Aggregates alone = Aggregate(results, nullptr, nullptr);
  // What the file itself says stands.
  EXPECT_TRUE(alone.forget_quality);
  EXPECT_TRUE(alone.memorization);
  EXPECT_FALSE(alone.privacy);
  EXPECT_THAT(alone.privacy.why, HasSubstr("never saw the forget set"));
  EXPECT_FALSE(alone.utility);
  EXPECT_THAT(alone.utility.why, HasSubstr("before unlearning"));
  EXPECT_FALSE(alone.overall);
  EXPECT_EQ(alone.overall.why, alone.privacy.why);

  Json poorer = results;
  poorer.erase("mia_zlib");
  poorer["retain_Truth_Ratio"] = {{"agg_value", nullptr}, {"not_measured", "no wrong answers"}};
  poorer.erase("forget_repetition");
  const Aggregates aggregates = Aggregate(poorer, &results, &results);
  EXPECT_THAT(aggregates.privacy.why, HasSubstr("has no mia_zlib"));
  EXPECT_EQ(aggregates.model_utility.why, "no wrong answers");
  EXPECT_EQ(aggregates.utility.why, "no wrong answers");

  const Json empty = {{"grin", {{"file", "E.json"}}}};
  const Aggregates nothing = Aggregate(empty, &results, &results);
  for (const AggregateInfo& info : kAggregates) {
    EXPECT_FALSE(nothing.*info.measure) << info.name;
    EXPECT_THAT((nothing.*info.measure).why, HasSubstr("E.json has no ")) << info.name;
  }
}

TEST(Aggregate, OfTheReferencesThemselves) {
  const Json never = Load("report/never.json"), before = Load("report/before.json");
  // Beside itself a model is as private and as useful as it gets.
  const Aggregates aggregates = Aggregate(never, &never, &never);
  EXPECT_EQ(aggregates.forget_quality.value, 1);
  EXPECT_EQ(aggregates.forget_distance.value, 0);
  EXPECT_EQ(aggregates.privacy.value, 1);
  EXPECT_EQ(aggregates.utility.value, 1);
  // An attack that sees everything leaves no privacy.
  Json seen = before;
  seen["mia_loss"]["agg_value"] = 2 * *AggregateOf(never, "mia_loss");
  EXPECT_EQ(Aggregate(seen, &never, nullptr).privacy.value, 0);
}

TEST(Aggregate, SaysWhenTruthRatiosAreOfOtherQuestions) {
  const Json results = Load("report/unlearned.json"), never = Load("report/never.json");
  EXPECT_EQ(Aggregate(results, &never, nullptr).other_questions, "");
  Json fewer = never;
  for (int i = 30; i < 40; ++i) {
    fewer["forget_truth_ratio"]["value_by_index"].erase(std::to_string(i));
  }
  const Aggregates aggregates = Aggregate(results, &fewer, nullptr);
  EXPECT_TRUE(aggregates.forget_quality);
  EXPECT_EQ(aggregates.other_questions,
            "compared with 30 other questions: the reference has 30 questions, this run 40, of the "
            "same index 30");
  Json split = never;
  split["grin"]["split"] = "forget05";
  EXPECT_EQ(Aggregate(results, &split, nullptr).other_questions,
            "compared with 40 other questions: the reference is of split forget05, this run of "
            "forget01");
  Json content = never;
  content["grin"]["inputs"][0]["fingerprint"] = "1111111111111111";
  EXPECT_THAT(Aggregate(results, &content, nullptr).other_questions,
              HasSubstr("files of different content"));
  // A value that is not there is no other question, and other tools' files name no split.
  Json plain = never;
  plain.erase("grin");
  plain["forget_truth_ratio"]["value_by_index"]["3"] = nullptr;
  EXPECT_EQ(Aggregate(results, &plain, nullptr).other_questions, "");
  // Without a reference, what the evaluation noted.
  Json noted = results;
  noted["forget_quality"]["note"] = "compared with 30 other questions: ...";
  EXPECT_EQ(Aggregate(noted, nullptr, nullptr).other_questions, noted["forget_quality"]["note"]);
}

// Results without the repetition rate, and with one answer to each of the forget questions.
Json WithAnswers(Json results, const std::string& answer) {
  results.erase("forget_repetition");
  for (auto& [index, entry] : results["forget_Q_A_ROUGE"]["value_by_index"].items()) {
    entry["generation"] = answer;
  }
  return results;
}

TEST(Aggregate, FluencyIsComparedInOneKindOnly) {
  const Json plain = Load("report/before.json");
  Json classified = WithAnswers(Load("report/unlearned.json"), "a b a b a");  // 3 of 4 repeat
  classified["forget_Q_A_gibberish"] = {{"agg_value", 0.5}};
  EXPECT_EQ(FluencyOf(classified).value.value, 0.5);
  // The other file has no classifier's figure, but both have answers.
  Json repetitive = classified;
  repetitive.erase("forget_Q_A_gibberish");
  EXPECT_NEAR(*FluencyOf(repetitive).value.value, 0.25, 1e-12);
  EXPECT_EQ(Aggregate(classified, nullptr, &plain).utility.value,
            Aggregate(repetitive, nullptr, &plain).utility.value);
  // Both classified: by the classifier, though both have answers.
  Json both = plain;
  both["forget_Q_A_gibberish"] = {{"agg_value", 0.5}};
  EXPECT_NE(Aggregate(classified, nullptr, &both).utility.value,
            Aggregate(classified, nullptr, &plain).utility.value);
  // Nothing in common.
  classified.erase("forget_Q_A_ROUGE");
  classified["model_utility"] = {{"agg_value", 0.5}};
  EXPECT_THAT(Aggregate(classified, nullptr, &plain).utility.why, HasSubstr("fluency is by"));
}

TEST(Aggregate, RepetitionIsThatOfTheStoredAnswersWhereTheFileHasNone) {
  const Json results = Load("report/unlearned.json");
  EXPECT_EQ(RepetitionOf(results).value, AggregateOf(results, "forget_repetition"));
  EXPECT_NEAR(*RepetitionOf(WithAnswers(results, "a b a b a")).value, 0.75, 1e-12);
  EXPECT_EQ(RepetitionOf(WithAnswers(results, "one two three")).value, 0);
  Json silent = WithAnswers(results, "");
  silent["forget_Q_A_ROUGE"].erase("value_by_index");
  EXPECT_THAT(RepetitionOf(silent).why, HasSubstr("has no forget_repetition"));
  // Utility of files that never have it.
  const Json retain = Load("eval/legacy_retain.json"), legacy = Load("eval/legacy_unlearned.json");
  EXPECT_TRUE(RepetitionOf(legacy));
  const Aggregates aggregates = Aggregate(legacy, &retain, &retain);
  EXPECT_TRUE(aggregates.utility) << aggregates.utility.why;
}

}  // namespace
}  // namespace grin
