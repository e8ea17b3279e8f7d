// The likelihood and the generation engine at the end of a model's positions.

#include "grin/eval/likelihood.h"

#include <gmock/gmock.h>

#include "grin/eval/generation.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

Sequence LastTokenOf(int64_t length, int64_t unread) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < length; ++i) tokens.push_back(2 + i % 50);
  Sequence sequence = LabelledSequence(tokens, {static_cast<int32_t>(length) - 1});
  sequence.unread = unread;
  return sequence;
}

TEST(ScoreSequences, TokensThatNothingReadsChangeNothing) {
  for (const char* name : {"llama_plain", "gpt2_scales", "mistral_window"}) {
    const Model model = LoadTiny(name);
    const auto scores = ScoreSequences(model, {LastTokenOf(20, 0), LastTokenOf(20, 1)});
    EXPECT_NEAR(scores[0].logp[0], scores[1].logp[0], 1e-5) << name;
  }
}

TEST(ScoreSequences, TheTokenBehindTheContextIsPredicted) {
  for (const char* name : {"gpt2_scales", "opt_plain", "llama_plain"}) {
    const Model model = LoadTiny(name);
    const auto scores = ScoreSequences(model, {LastTokenOf(model.config.context + 1, 1)});
    EXPECT_LT(scores[0].logp[0], 0) << name;
  }
}

TEST(Generate, RefusesAPromptWithoutPositions) {
  const Model model = LoadTiny("gpt2_scales");
  const std::vector<int32_t> prompt(model.config.context + 1, 3);
  EXPECT_THAT(MessageOf([&] { Generate(model, {{1}, prompt}, {}, {.past_context = true}); }),
              ::testing::HasSubstr("prompt 2 has 65 tokens, the model has positions for 64"));
}

}  // namespace
}  // namespace grin
