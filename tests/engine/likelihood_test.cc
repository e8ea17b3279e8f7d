// The likelihood engine, and both engines at the end of a model's positions.

#include "grin/engine/likelihood.h"

#include <gmock/gmock.h>

#include "grin/engine/generation.h"
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

class SharedPrefixes : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tiny, SharedPrefixes, ::testing::ValuesIn(kTinyModels),
                         [](const auto& info) { return std::string(info.param); });

// Three questions with several answers each, one answer twice, and one that begins another.
TEST_P(SharedPrefixes, ChangeNothing) {
  const Model model = LoadTiny(GetParam());
  std::vector<Sequence> sequences;
  for (int32_t question = 0; question < 3; ++question) {
    for (int32_t answer = 0; answer < 5; ++answer) {
      std::vector<int32_t> tokens;
      for (int32_t t = 0; t < 6 + 4 * question; ++t) tokens.push_back(3 + question + t % 11);
      for (int32_t t = 0; t < 2 + answer % 4; ++t) tokens.push_back(20 + answer / 2 + 3 * t);
      sequences.push_back(LabelledSequence(tokens));
    }
  }
  LikelihoodOptions options{.extras = {.argmax = true, .moments = true}, .share_prefixes = false};
  const auto apart = ScoreSequences(model, sequences, options);
  options.share_prefixes = true;
  for (const int64_t pass_tokens : {1, 40, 4096}) {
    options.pass_tokens = pass_tokens;
    const auto shared = ScoreSequences(model, sequences, options);
    for (size_t s = 0; s < sequences.size(); ++s) {
      ASSERT_EQ(shared[s].logp.size(), apart[s].logp.size());
      EXPECT_EQ(shared[s].argmax, apart[s].argmax);
      for (size_t n = 0; n < apart[s].logp.size(); ++n) {
        EXPECT_NEAR(shared[s].logp[n], apart[s].logp[n], 2e-5) << s << " " << n;
        EXPECT_NEAR(shared[s].mean[n], apart[s].mean[n], 2e-5);
      }
    }
  }
}

// Many rows or few, alone or among others, with common beginnings or without: the same bits, in
// fp32 and in bf16, and the same answers.
class Company : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tiny, Company,
                         ::testing::Values("llama_gqa_tied", "gpt2_scales", "qwen3_tied",
                                           "gemma2_caps"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Company, ChangesNoBit) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const Model model = LoadTiny(GetParam(), type);
    std::vector<Sequence> sequences;
    std::vector<std::vector<int32_t>> prompts;
    for (int32_t s = 0; s < 24; ++s) {
      std::vector<int32_t> tokens;
      for (int32_t t = 0; t < 5 + 7 * s % 26; ++t) {
        tokens.push_back(3 + (s / 3 + t * (1 + s % 2)) % 40);
      }
      prompts.push_back(tokens);
      sequences.push_back(LabelledSequence(tokens));
    }
    const auto together = ScoreSequences(model, sequences);
    const auto answers = Generate(model, prompts, {}, {.max_new_tokens = 6, .batch_size = 24});
    for (const size_t s : {size_t{0}, size_t{5}, size_t{11}, size_t{23}}) {
      const auto alone = ScoreSequences(model, {sequences[s]});
      EXPECT_EQ(alone[0].logp, together[s].logp) << type << " " << s;
      const auto few = ScoreSequences(model, {sequences[s], sequences[(s + 1) % 24]});
      EXPECT_EQ(few[0].logp, together[s].logp) << type << " " << s;
      const auto answer = Generate(model, {prompts[s]}, {}, {.max_new_tokens = 6});
      EXPECT_EQ(answer[0].tokens, answers[s].tokens) << type << " " << s;
    }
  }
}

class HiddenTokens : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tiny, HiddenTokens, ::testing::ValuesIn(kTinyModels),
                         [](const auto& info) { return std::string(info.param); });

// What a hidden token says reaches no other, whether beginnings are shared or not.
TEST_P(HiddenTokens, AreSeenByNone) {
  const Model model = LoadTiny(GetParam());
  const auto make = [](int32_t hidden, int32_t last, bool hide) {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < 14; ++i) tokens.push_back(i == 3 || i == 4 || i == 9 ? hidden : 5 + i);
    tokens.push_back(last);
    Sequence sequence = LabelledSequence(tokens, {2, 6, 7, 8, 11, 12, 13, 14});
    if (hide) sequence.unseen_token = hidden;
    return sequence;
  };
  const std::vector<Sequence> sequences = {make(40, 21, true),  make(41, 21, true),
                                           make(40, 21, false), make(41, 21, false),
                                           make(40, 22, true),  make(41, 22, true)};
  for (const bool share : {false, true}) {
    const auto scores = ScoreSequences(model, sequences, {.share_prefixes = share});
    double change = 0;
    for (size_t n = 0; n < scores[0].logp.size(); ++n) {
      EXPECT_NEAR(scores[0].logp[n], scores[1].logp[n], 2e-5) << n;
      EXPECT_NEAR(scores[4].logp[n], scores[5].logp[n], 2e-5) << n;
      change = std::max<double>(change, std::abs(scores[2].logp[n] - scores[3].logp[n]));
    }
    EXPECT_GT(change, 1e-3);
    EXPECT_NE(scores[0].logp, scores[2].logp);
  }
}

// The same with everything hidden: each token then sees itself, and nothing is NaN.
TEST(HiddenTokens, ATokenThatSeesNothingSeesItself) {
  for (const char* name : {"llama_plain", "gemma2_caps", "mistral_window"}) {
    Sequence sequence = LabelledSequence({7, 7, 7, 9});
    sequence.unseen_token = 7;
    const auto scores = ScoreSequences(LoadTiny(name), {sequence});
    for (const float logp : scores[0].logp) EXPECT_LT(logp, 0) << name;
  }
}

TEST(Generate, RefusesAPromptWithoutPositions) {
  const Model model = LoadTiny("gpt2_scales");
  const std::vector<int32_t> prompt(model.config.context + 1, 3);
  EXPECT_THAT(MessageOf([&] {
                Generate(model, {{1}, prompt}, {}, {.past_context = true});
              }),
              ::testing::HasSubstr("prompt 2 has 65 tokens, the model has positions for 64"));
}

}  // namespace
}  // namespace grin
