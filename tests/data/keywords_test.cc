#include "grin/data/keywords.h"

#include <gmock/gmock.h>

#include "grin/data/encode.h"
#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Texts(const Example& example) {
  std::vector<std::string> texts;
  for (const auto& [begin, end] : KeywordSpans(example)) {
    texts.push_back(example.response.substr(begin, end - begin));
  }
  return texts;
}

TEST(Keywords, AreContentWordsThatThePromptDoesNotGive) {
  EXPECT_THAT(
      Texts({.prompt = "Where was Ada born?", .response = "Ada was born in London, in 1815."}),
      ElementsAre("London", "1815"));
  EXPECT_THAT(Texts({.prompt = "q", .response = "ÉCOLE and the école"}),
              ElementsAre("ÉCOLE", "école"));
  EXPECT_THAT(Texts({.prompt = "At the école?", .response = "ÉCOLE normale"}),
              ElementsAre("normale"));
}

TEST(Keywords, AreNotInTheAlternatives) {
  EXPECT_THAT(Texts({.prompt = "Where?",
                     .response = "Born near London.",
                     .alternatives = {"born near Paris"}}),
              ElementsAre("London"));
}

TEST(Keywords, AreTheGivenOnesWhereThereAreAny) {
  Example example{.prompt = "q", .response = "the cat and the hat", .keywords = {"hat", "the cat"}};
  EXPECT_THAT(Texts(example), ElementsAre("the cat", "hat"));
  example.keywords = {"dog"};
  EXPECT_THAT(MessageOf([&] { KeywordSpans(example); }), HasSubstr("keyword 'dog' does not occur"));
}

class KeywordLabelTest : public ::testing::Test {
 protected:
  KeywordLabelTest() {
    const auto checkpoint = Checkpoint::Open(MakeToy("keywords"));
    config_ = ParseModelConfig(checkpoint->config(), "config.json");
    encoder_ = std::make_unique<Encoder>(*checkpoint, config_, EncodeOptions{});
  }
  ModelConfig config_;
  std::unique_ptr<Encoder> encoder_;
};

TEST_F(KeywordLabelTest, LabelsSpellTheKeywords) {
  const Example example{.prompt = "Where was Ada born?",
                        .response = "She was born in Łódź, not in Manchester."};
  const Sequence sequence = encoder_->Encode(example);
  const auto keywords = KeywordLabels(example, sequence);
  const auto spans = KeywordSpans(example);
  ASSERT_EQ(keywords.size(), spans.size());
  for (size_t k = 0; k < keywords.size(); ++k) {
    std::vector<int32_t> ids;
    for (const int64_t label : keywords[k]) ids.push_back(sequence.tokens[sequence.labels[label]]);
    const std::string text = encoder_->tokenizer().Decode(ids, false);
    EXPECT_THAT(
        text, HasSubstr(example.response.substr(spans[k].first, spans[k].second - spans[k].first)));
    EXPECT_LE(text.size(), static_cast<size_t>(spans[k].second - spans[k].first) + 1);
  }
}

TEST_F(KeywordLabelTest, CutOffKeywordsAreLeftOut) {
  const Example example{.prompt = "Where?", .response = "London or Manchester"};
  Sequence sequence = encoder_->Encode(example);
  ASSERT_EQ(KeywordLabels(example, sequence).size(), 2u);
  sequence.labels.resize(sequence.labels.size() - 2);  // the end token and the last piece
  sequence.label_spans.resize(sequence.labels.size());
  EXPECT_EQ(KeywordLabels(example, sequence).size(), 1u);
}

TEST_F(KeywordLabelTest, WeightsAreOneOnKeywordsAlone) {
  const std::vector<Example> examples = {{.prompt = "Where?", .response = "It is in London."},
                                         {.prompt = "Is it so?", .response = "It is so."}};
  std::vector<Sequence> sequences = encoder_->EncodeAll(examples);
  EXPECT_EQ(WeighKeywords(examples, sequences), 1);
  const auto labels = KeywordLabels(examples[0], sequences[0]).at(0);
  for (size_t i = 0; i < sequences[0].labels.size(); ++i) {
    const bool keyword = std::ranges::count(labels, static_cast<int64_t>(i)) > 0;
    EXPECT_EQ(sequences[0].label_weights[i], keyword ? 1.0f : 0.0f);
  }
  EXPECT_THAT(sequences[1].label_weights, ::testing::Each(1.0f));
}

}  // namespace
}  // namespace grin
