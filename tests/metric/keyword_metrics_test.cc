#include "grin/metric/keyword_metrics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "grin/data/packing.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

// "It was London, 1815." as tokens: It| was| Lon|don|,| 18|15|.|<end>
struct Constructed {
  Example example{.prompt = "Where was it?", .response = "It was London, 1815."};
  Sequence sequence;
  SequenceScores scores;

  Constructed() {
    sequence.tokens = {7, 10, 11, 12, 13, 14, 15, 16, 17, 0};
    sequence.labels = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    sequence.label_spans = {{0, 2},   {2, 6},   {6, 10},  {10, 13}, {13, 14},
                            {14, 17}, {17, 19}, {19, 20}, {-1, -1}};
    sequence.label_weights.assign(9, 1.0f);
    scores.argmax = {10, 11, 12, 13, 14, 15, 16, 17, 0};
    for (const double p : {0.9, 0.9, 0.5, 0.32, 0.9, 0.25, 0.25, 0.9, 0.9}) {
      scores.logp.push_back(static_cast<float>(std::log(p)));
    }
  }
};

TEST(ScoreKeywords, EveryTokenMustBeRight) {
  Constructed c;
  KeywordScore score = ScoreKeywords(c.example, c.sequence, c.scores);
  EXPECT_EQ(score.count, 2);
  EXPECT_EQ(score.accuracy, 1);
  EXPECT_NEAR(score.confidence, (std::sqrt(0.5 * 0.32) + 0.25) / 2, 1e-6);
  c.scores.argmax[3] = 99;  // "don"
  EXPECT_EQ(ScoreKeywords(c.example, c.sequence, c.scores).accuracy, 0.5);
  c.scores.argmax[1] = 99;  // " was" carries nothing
  EXPECT_EQ(ScoreKeywords(c.example, c.sequence, c.scores).accuracy, 0.5);
  c.scores.argmax[6] = 99;  // "15"
  score = ScoreKeywords(c.example, c.sequence, c.scores);
  EXPECT_EQ(score.accuracy, 0);
  EXPECT_NEAR(score.confidence, (std::sqrt(0.5 * 0.32) + 0.25) / 2, 1e-6);
}

TEST(ScoreKeywords, AnswerWithoutKeywordsSaysNothing) {
  Constructed c;
  c.example.prompt = "London 1815";
  EXPECT_EQ(ScoreKeywords(c.example, c.sequence, c.scores).count, 0);
}

TEST(AverageScores, LeavesOutWhatSaysNothing) {
  const Constructed with;
  Constructed without;
  without.example.prompt = "London 1815";
  without.sequence.example = 1;
  const SetScores set =
      AverageScores({with.example, without.example}, {with.sequence, without.sequence},
                    {with.scores, without.scores});
  EXPECT_EQ(set.keyword_accuracy, 1);
  EXPECT_NEAR(set.keyword_confidence, (std::sqrt(0.5 * 0.32) + 0.25) / 2, 1e-6);
  EXPECT_NEAR(set.probability, with.scores.Probability(), 1e-9);
}

TEST(FindKeywords, LooksForWholeWordsWithoutCase) {
  const Example example{.prompt = "Where?", .response = "In London, 1815."};
  EXPECT_EQ(FindKeywords(example, "LONDON it was").accuracy, 0.5);
  EXPECT_EQ(FindKeywords(example, "in 1815 in london").accuracy, 1);
  EXPECT_EQ(FindKeywords(example, "Londoners, 18155").accuracy, 0);
  EXPECT_EQ(FindKeywords(example, "").accuracy, 0);
  const Example phrase{.prompt = "Who?", .response = "Ada Byron it was", .keywords = {"Ada Byron"}};
  EXPECT_EQ(FindKeywords(phrase, "it was ada byron").accuracy, 1);
  EXPECT_EQ(FindKeywords(phrase, "Byron, Ada").accuracy, 0);
}

TEST(FindKeywords, PlainTextIsNoAnswer) {
  const Example text{.response = "In London, 1815."};
  EXPECT_EQ(FindKeywords(text, "London, 1815").count, 0);
}

TEST(RepetitionRate, SeparatesProseFromLoops) {
  EXPECT_EQ(RepetitionRate(""), 0);
  EXPECT_EQ(RepetitionRate("one"), 0);
  EXPECT_EQ(RepetitionRate("one two three four five"), 0);
  EXPECT_EQ(RepetitionRate("no no no no no"), 1);
  EXPECT_EQ(RepetitionRate("No, no; NO!"), 1);
  EXPECT_NEAR(RepetitionRate("a b a b a b a b"), 6.0 / 7, 1e-12);
  // A word that comes back after five others does not count.
  EXPECT_EQ(RepetitionRate("one two three four five one"), 0);
}

TEST(ScoreSequences, DoesNotDependOnThePasses) {
  const Json golden = GoldenJson("model/llama_biases/golden.json");
  const Model model = LoadTiny("llama_biases");
  const auto sequences = SequencesOf(golden["sequences"]);
  for (const int64_t pass_tokens : {1, 20, 100000}) {
    const auto scores =
        ScoreSequences(model, sequences,
                       {.pass_tokens = pass_tokens, .extras = {.argmax = true, .moments = true}});
    ASSERT_EQ(scores.size(), sequences.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      const auto logp = golden["sequences"][i]["logprobs"].get<std::vector<float>>();
      EXPECT_THAT(scores[i].logp, ::testing::Pointwise(::testing::FloatNear(2e-5f), logp));
      EXPECT_EQ(scores[i].argmax, golden["sequences"][i]["argmax"].get<std::vector<int32_t>>());
      EXPECT_EQ(scores[i].mean.size(), logp.size());
      EXPECT_EQ(scores[i].variance.size(), logp.size());
    }
  }
}

TEST(SequenceScores, ProbabilityIsTheGeometricMean) {
  SequenceScores scores;
  EXPECT_EQ(scores.Probability(), 0);
  scores.logp = {std::log(0.5f), std::log(0.125f)};
  EXPECT_NEAR(scores.Probability(), 0.25, 1e-7);
}

}  // namespace
}  // namespace grin
