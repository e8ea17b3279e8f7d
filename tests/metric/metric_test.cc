// Metrics as functions of made-up answers.

#include "grin/metric/metric.h"

#include <gmock/gmock.h>

#include <cmath>

#include "grin/data/windows.h"
#include "grin/engine/spaces.h"
#include "grin/metric/choice.h"
#include "grin/metric/membership.h"
#include "grin/metric/refusal.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

// "The author was born in Lisbon." word by word, and an end token. A word is a token.
struct Made {
  Question question;
  Made(double fact, double filler, bool fact_is_first_choice, const std::string& says) {
    Example& example = question.example;
    example.prompt = "Where was the author born?";
    example.response = "The author was born in Lisbon.";
    ScoredAnswer answer;
    const std::vector<std::pair<int64_t, int64_t>> words = {{0, 3},   {4, 10},  {11, 14}, {15, 19},
                                                            {20, 22}, {23, 29}, {29, 30}, {-1, -1}};
    answer.sequence.tokens = {1};
    for (size_t i = 0; i < words.size(); ++i) {
      const bool is_fact = i == 5;
      answer.sequence.tokens.push_back(static_cast<int32_t>(10 + i));
      answer.sequence.labels.push_back(static_cast<int32_t>(i + 1));
      answer.sequence.label_spans.push_back(words[i]);
      answer.scores.logp.push_back(static_cast<float>(std::log(is_fact ? fact : filler)));
      const bool right = is_fact ? fact_is_first_choice : true;
      answer.scores.argmax.push_back(static_cast<int32_t>(right ? 10 + i : 99));
    }
    answer.answer_labels = 7;
    question.answer = answer;
    question.truth = example.response;
    question.continuation = says;
  }
};

double Value(const char* metric, const Question& question) {
  const QuestionSet set{.name = "forget", .questions = {question}};
  return FindMetric(metric).function(set)["agg_value"].get<double>();
}

// A model that has lost the fact but answers in full sentences keeps a high probability and a high
// ROUGE; one that says the fact in other words has less of both. Only keywords tell them apart.
TEST(KeywordMetrics, TellForgettingFromVagueness) {
  const Question vague = Made(0.02, 0.99, false, "The author was born in a city.").question;
  const Question terse = Made(0.9, 0.3, true, "Lisbon").question;
  // The figures of docs/metrics.md.
  EXPECT_NEAR(Value("probability", vague), 0.608, 5e-4);
  EXPECT_NEAR(Value("probability", terse), 0.344, 5e-4);
  EXPECT_NEAR(Value("rouge", vague), 5.0 / 6, 1e-9);
  EXPECT_NEAR(Value("rouge", terse), 1.0 / 6, 1e-9);
  EXPECT_NEAR(Value("exact_memorization", vague), 6.0 / 7, 1e-9);
  EXPECT_EQ(Value("keyword_accuracy", vague), 0);
  EXPECT_EQ(Value("keyword_accuracy_generated", vague), 0);
  EXPECT_NEAR(Value("keyword_confidence", vague), 0.02, 1e-6);
  EXPECT_EQ(Value("keyword_accuracy", terse), 1);
  EXPECT_EQ(Value("keyword_accuracy_generated", terse), 1);
  EXPECT_NEAR(Value("keyword_confidence", terse), 0.9, 1e-6);
}

TEST(KeywordMetrics, ShowAnIntervalAndTheKeywords) {
  QuestionSet set{.name = "forget", .questions = {}};
  for (int i = 0; i < 20; ++i) {
    set.questions.push_back(Made(0.5, 0.9, i % 2 == 0, "Lisbon").question);
  }
  const Json result = FindMetric("keyword_accuracy").function(set);
  EXPECT_EQ(result["agg_value"], 0.5);
  EXPECT_LT(result["interval"][0].get<double>(), 0.5);
  EXPECT_GT(result["interval"][1].get<double>(), 0.5);
  EXPECT_EQ(result["value_by_index"]["0"]["keywords"], Json::array({"Lisbon"}));
}

// A set of `count` answers, of which the first `broken` have NaN for the fact's log-probability.
QuestionSet WithNaN(int count, int broken) {
  QuestionSet set{.name = "forget", .questions = {}};
  for (int i = 0; i < count; ++i) {
    set.questions.push_back(Made(0.5, 0.9, true, "Lisbon").question);
    if (i < broken) set.questions.back().answer->scores.logp[5] = std::nanf("");
  }
  return set;
}

TEST(Metric, IsNotMeasuredWhereRecordsHaveNoFiniteLogProbability) {
  for (const char* metric : {"probability", "keyword_confidence", "keyword_accuracy",
                             "exact_memorization", "extraction_strength"}) {
    SCOPED_TRACE(metric);
    const Json result = FindMetric(metric).function(WithNaN(4, 3));
    EXPECT_TRUE(result["agg_value"].is_null());
    EXPECT_EQ(result.value("not_measured", ""), "3 of 4 records have no finite log-probability");
    EXPECT_FALSE(result.contains("interval"));
    EXPECT_EQ(result["value_by_index"].size(), 4u);
    EXPECT_TRUE(FindMetric(metric).function(WithNaN(4, 0))["agg_value"].is_number());
  }
}

TEST(TruthRatio, IsNotMeasuredWhereAWrongAnswerIsNaN) {
  // max(0, 1 - NaN) is 0, which would enter the mean as a ratio of 1.
  QuestionSet set = WithNaN(2, 0);
  for (Question& question : set.questions) question.wrong = {*question.answer};
  EXPECT_TRUE(FindMetric("truth_ratio").function(set)["agg_value"].is_number());
  set.questions[1].wrong[0].scores.logp[0] = std::nanf("");
  for (const char* metric : {"truth_ratio", "truth_ratio_forget"}) {
    const Json result = FindMetric(metric).function(set);
    EXPECT_TRUE(result["agg_value"].is_null()) << metric;
    EXPECT_EQ(result.value("not_measured", ""), "1 of 2 records have no finite log-probability");
  }
}

TEST(ByIndex, SaysWhenOnlyTheAggregateIsNotFinite) {
  ByIndex values;
  values.Add(0, nullptr, 1.0);
  const Json result = values.Result(std::nan(""));
  EXPECT_TRUE(result["agg_value"].is_null());
  EXPECT_THAT(result.value("not_measured", ""), ::testing::HasSubstr("their aggregate is not"));
}

TEST(ExtractionStrength, CountsFromTheFirstLabelOfARightEnd) {
  Question question = Made(0.5, 0.5, false, "").question;  // wrong at label 5 of 7
  EXPECT_NEAR(Value("extraction_strength", question), 1.0 / 7, 1e-12);
  question.answer->scores.argmax[6] = 99;
  EXPECT_EQ(Value("extraction_strength", question), 0);
  question.answer->scores.argmax.assign(
      {10, 11, 12, 13, 14, 15, 16, 99});  // the end token is left out
  EXPECT_EQ(Value("extraction_strength", question), 1);
}

TEST(Metric, RecordsWithoutWhatItIsAboutAreLeftOut) {
  const QuestionSet set{.name = "forget", .questions = {Made(0.5, 0.5, true, "").question}};
  const Json result = FindMetric("truth_ratio").function(set);  // no wrong answers
  EXPECT_TRUE(result["agg_value"].is_null());
  EXPECT_TRUE(result.contains("not_measured"));
  EXPECT_TRUE(result["value_by_index"]["0"].is_null());
  EXPECT_THAT(MessageOf([] { FindMetric("truth_ration"); }),
              ::testing::HasSubstr("did you mean truth_ratio?"));
}

TEST(Toxicity, IsNeverANumberWithoutAClassifier) {
  const QuestionSet set{.name = "test", .questions = {Made(0.5, 0.5, true, "hello").question}};
  const Json result = FindMetric("toxicity").function(set);
  EXPECT_TRUE(result["agg_value"].is_null());
  EXPECT_THAT(result["not_measured"], ::testing::HasSubstr("--classifier"));
}

TEST(PrivLeak, IsRelativeToTheReference) {
  EXPECT_NEAR(PrivLeak(0.5, 0.5), 0, 1e-6);
  EXPECT_NEAR(PrivLeak(1.0, 0.5), -100, 1e-6);
  EXPECT_NEAR(PrivLeak(0.25, 0.5), 50, 1e-6);
  EXPECT_EQ(
      PrivLeakResult({{"agg_value", 0.7}}, {{"mia_min_k", {{"agg_value", 0.7}}}})["agg_value"], 0);
}

TEST(PrivLeak, NeedsAReferenceThatLeavesAScale) {
  const Json min_k = {{"agg_value", 0.75}};
  const auto against = [&](double auc) {
    return PrivLeakResult(min_k, {{"mia_min_k", {{"agg_value", auc}}}});
  };
  EXPECT_NEAR(against(0.5)["agg_value"].get<double>(), -50, 1e-6);
  EXPECT_FALSE(against(0.5).contains("note"));
  EXPECT_TRUE(against(0.9999)["agg_value"].is_number());
  for (const double auc : {1.0, 1.0 - 1e-15}) {
    EXPECT_TRUE(against(auc)["agg_value"].is_null());
    EXPECT_THAT(against(auc)["not_measured"].get<std::string>(), ::testing::HasSubstr("is 1"));
  }
  EXPECT_FALSE(PrivLeakResult(min_k, nullptr).contains("note"));  // guessing, as documented
  EXPECT_THAT(PrivLeakResult(min_k, Json::object())["note"].get<std::string>(),
              ::testing::HasSubstr("has no mia_min_k"));
}

TEST(CleanSpaces, TakesOutWhatWordTokenizersLeave) {
  EXPECT_EQ(CleanSpaces("It is n't so , she 's here . Is it ?"), "It isn't so, she's here. Is it?");
  EXPECT_EQ(CleanSpaces("plain text"), "plain text");
}

TEST(TextWindows, ScoreEveryTokenOnce) {
  for (const int64_t total : {2, 7, 8, 9, 40, 41}) {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < total; ++i) tokens.push_back(i);
    for (const int64_t stride : {1, 3, 7}) {
      std::vector<int> seen(total, 0);
      for (const Sequence& window : TextWindows(tokens, 8, stride)) {
        EXPECT_LE(window.length(), 8);
        for (const int32_t label : window.labels) ++seen[window.tokens[label]];
      }
      seen[0] += 1;
      EXPECT_THAT(seen, ::testing::Each(1)) << total << " tokens, stride " << stride;
    }
  }
}

TEST(Rouge, LeavesOutPlainText) {
  QuestionSet set{.name = "forget",
                  .questions = {Made(0.5, 0.5, true, "The author was born in Lisbon.").question,
                                Made(0.5, 0.5, true, "something else").question}};
  set.questions[1].example.prompt.clear();
  for (const char* metric : {"rouge", "rouge_f1", "keyword_accuracy_generated"}) {
    const Json result = FindMetric(metric).function(set);
    EXPECT_EQ(result["agg_value"], 1) << metric;
    EXPECT_TRUE(result["value_by_index"]["1"].is_null()) << metric;
  }
}

TEST(Refusal, IsFoundByItsPhrases) {
  EXPECT_TRUE(IsRefusal("I'm sorry, but that is not something I can help with."));
  EXPECT_TRUE(IsRefusal("I\u2019m not able to say."));
  EXPECT_FALSE(IsRefusal("First, take a hammer."));
  EXPECT_FALSE(IsRefusal(""));
}

TEST(ChoiceText, IsTheHarnessForm) {
  const ChoiceQuestion question{.question = " What? ", .choices = {"a", "b"}, .answer = 1};
  EXPECT_EQ(ChoiceText(question), "What?\nA. a\nB. b\nAnswer:");
  EXPECT_EQ(WorkedExample(question), "What?\nA. a\nB. b\nAnswer: B\n\n");
  const Record bad{.fields = {{"question", "q"}, {"choices", {"a", "b"}}, {"answer", 2}},
                   .file = "f.json",
                   .line = 3};
  EXPECT_THAT(MessageOf([&] { ParseChoiceQuestion(bad); }), ::testing::HasSubstr("f.json:3"));
}

TEST(Accuracy, IsNotMeasuredWhereAQuestionHasNoLogProbabilities) {
  EXPECT_EQ(Accuracy({1, 0, 1, 1})["agg_value"], 0.75);
  const Json result = Accuracy({1, std::nan(""), std::nan("")});
  EXPECT_TRUE(result["agg_value"].is_null());
  EXPECT_EQ(result.value("not_measured", ""), "2 of 3 questions have no finite log-probabilities");
  EXPECT_FALSE(result.contains("stderr"));
}

}  // namespace
}  // namespace grin
