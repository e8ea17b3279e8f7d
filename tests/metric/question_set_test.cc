// What becomes of records that are longer than a model reads.

#include "grin/metric/question_set.h"

#include <gmock/gmock.h>

#include "tests/data/toy_checkpoint.h"
#include "tests/base/warnings.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Example Record(int line, const std::string& prompt, const std::string& response) {
  Example example;
  example.prompt = prompt;
  example.response = response;
  example.fields = {{"question", prompt}, {"answer", response}};
  example.where = fmt::format("set.jsonl:{}", line);
  return example;
}

const Example kShort = Record(1, "Who?", "Oda.");
const Example kLongAnswer =
    Record(2, "Who?", "Oda Venn, who wrote it by herself in the year 1911.");
const Example kLongPrompt =
    Record(3, "Who of all that ever came to the town in those years wrote the Almanac?", "Oda.");

class LongRecords : public ::testing::Test {
 protected:
  const std::filesystem::path dir_ = MakeToy("question_set", {.context = 2048});

  Encoder Within(int64_t max_length) const {
    const auto checkpoint = Checkpoint::Open(dir_);
    return Encoder(*checkpoint, ParseModelConfig(checkpoint->config(), "config.json"),
                   {.template_name = "qa", .max_length = max_length});
  }
};

TEST_F(LongRecords, AreCountedInAWarning) {
  const int64_t length = Within(0).Encode(kShort).length();
  const Encoder encoder = Within(length);
  EvalPlan plan;
  const Warnings warnings;
  const AskedSet asked(plan, encoder, "forget", {kShort, kLongAnswer, kLongPrompt}, kAnswer);
  EXPECT_THAT(
      warnings.text(),
      AllOf(HasSubstr(fmt::format("forget: 2 of 3 sequences are longer than {} tokens and "
                                  "lose their end (the first: set.jsonl:2)",
                                  length)),
            HasSubstr(fmt::format("forget: 1 sequences have no token of their answer within "
                                  "{} tokens and are left out (the first: set.jsonl:3)",
                                  length))));
}

TEST_F(LongRecords, AreCountedWhereTheyAreAskedForOnly) {
  const Encoder encoder = Within(Within(0).Encode(kShort).length());
  EvalPlan plan;
  const Warnings warnings;
  const AskedSet asked(plan, encoder, "forget", {kLongAnswer}, kContinuation);
  EXPECT_EQ(warnings.text(), "");
  Example wrong = kShort;
  wrong.fields["perturbed_answer"] = {kLongAnswer.response, kShort.response};
  const AskedSet with_wrong(plan, encoder, "forget", {wrong}, kWrong);
  EXPECT_THAT(warnings.text(), HasSubstr("forget: 1 of 2 sequences"));
}

TEST_F(LongRecords, AreNamedWhereTheModelHasNoPositionsForThePrompt) {
  const Encoder encoder = Within(0);
  const auto tokens = static_cast<int64_t>(encoder.EncodePrompt(kLongPrompt).size());
  const auto ask = [&](int64_t positions) {
    return MessageOf([&] {
      EvalPlan plan;
      AskedSet(plan, encoder, "forget", {kShort, kLongPrompt}, kContinuation,
               {.positions = positions});
    });
  };
  EXPECT_THAT(
      ask(tokens - 1),
      HasSubstr(fmt::format("set.jsonl:3: the prompt has {} tokens, the model has positions for {}",
                            tokens, tokens - 1)));
  EXPECT_EQ(ask(tokens), "no error");
  EXPECT_EQ(ask(0), "no error");
}

TEST_F(LongRecords, OfPlainTextEndWhereThePositionsEnd) {
  const Encoder encoder = Within(0);
  const auto encode = [&](int64_t max_length, int64_t positions) {
    return AsPlainText(encoder, max_length, positions).answer(kLongAnswer, kLongAnswer.response);
  };
  const Sequence whole = encode(2048, 0), cut = encode(2048, 10), asked = encode(4, 0);
  EXPECT_GT(whole.length(), 10);
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(cut.length(), 10);
  EXPECT_TRUE(cut.truncated);
  ASSERT_FALSE(cut.labels.empty());
  EXPECT_EQ(cut.labels.back(), 9);
  EXPECT_EQ(cut.labels.size(), cut.label_spans.size());
  // What the metric itself leaves out is no loss.
  EXPECT_EQ(asked.labels.size(), 4u);
  EXPECT_FALSE(asked.truncated);
  EXPECT_FALSE(encode(2048, whole.length()).truncated);
}

}  // namespace
}  // namespace grin
