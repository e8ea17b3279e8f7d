// The generation engine: what a batch gives is what each prompt gives alone, and what running the
// model again over the whole text gives.

#include "grin/engine/generation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "grin/data/packing.h"
#include "grin/model/head.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

// Prompts of 1 to 20 tokens, some of the same length.
std::vector<std::vector<int32_t>> Prompts(const Model& model, int64_t count) {
  at::manual_seed(6);
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length = i < 3 ? 4 : at::randint(1, 21, {1}).item<int64_t>();
    const at::Tensor ids = at::randint(0, model.config.vocabulary, {length}, at::kInt);
    const auto* data = ids.const_data_ptr<int32_t>();
    prompts.emplace_back(data, data + length);
  }
  return prompts;
}

// Logits after the last token, without a cache.
at::Tensor LastLogits(const Model& model, const std::vector<int32_t>& tokens) {
  const auto length = static_cast<int64_t>(tokens.size());
  PackedAttention attention(Segments({0, length}, TestDevice()));
  const at::Tensor hidden =
      Forward(model, OnTestDevice(at::tensor(tokens, at::kLong)),
              OnTestDevice(at::arange(length, at::kLong)), attention);
  return LogitsBuffer(model.head)(hidden.narrow(0, length - 1, 1))[0].cpu();
}

Generated Naive(const Model& model, std::vector<int32_t> tokens,
                const std::vector<int32_t>& end_tokens, int64_t limit) {
  Generated result;
  while (static_cast<int64_t>(result.tokens.size()) < limit) {
    const auto next = static_cast<int32_t>(LastLogits(model, tokens).argmax().item<int64_t>());
    result.ended = std::ranges::count(end_tokens, next) > 0;
    if (result.ended) break;
    result.tokens.push_back(next);
    tokens.push_back(next);
  }
  return result;
}

class Generation : public ::testing::TestWithParam<const char*> {
 protected:
  const Model model_ = LoadTiny(GetParam());
  const std::vector<std::vector<int32_t>> prompts_ = Prompts(model_, 17);
};

INSTANTIATE_TEST_SUITE_P(Tiny, Generation, ::testing::ValuesIn(kTinyModels),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Generation, GreedyEqualsTransformers) {
  const Json golden = GoldenJson(std::string("model/") + GetParam() + "/golden.json");
  const auto expected = golden["generation"]["tokens"].get<std::vector<int32_t>>();
  const auto results =
      Generate(model_, {golden["generation"]["prompt"].get<std::vector<int32_t>>()}, {},
               {.max_new_tokens = static_cast<int64_t>(expected.size())});
  EXPECT_EQ(results[0].tokens, expected);
  EXPECT_FALSE(results[0].ended);
}

TEST_P(Generation, GreedyDoesNotDependOnTheBatch) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  // A fifth of the vocabulary ends an answer, so that rows leave and enter at different steps.
  std::vector<int32_t> ends;
  for (int32_t id = 0; id < model_.config.vocabulary; id += 5) ends.push_back(id);
  std::set<size_t> lengths;
  std::vector<Generated> naive;
  for (const auto& prompt : prompts_) {
    naive.push_back(Naive(model_, prompt, ends, 12));
    lengths.insert(naive.back().tokens.size());
  }
  for (const int64_t batch_size : {1, 2, 7, 100}) {
    if (!TestDevice().is_cpu() && batch_size < 7) continue;
    int64_t done = 0;
    const auto results =
        Generate(model_, prompts_, ends,
                 {.max_new_tokens = 12, .batch_size = batch_size, .on_tokens = [&](int64_t more) {
                    done += more;
                  }});
    EXPECT_EQ(done, 12 * static_cast<int64_t>(prompts_.size()));
    ASSERT_EQ(results.size(), prompts_.size());
    for (size_t i = 0; i < prompts_.size(); ++i) {
      EXPECT_EQ(results[i].tokens, naive[i].tokens) << "prompt " << i << ", batch " << batch_size;
      EXPECT_EQ(results[i].ended, naive[i].ended) << "prompt " << i << ", batch " << batch_size;
    }
  }
  EXPECT_GE(lengths.size(), 3u) << "the test wants rows that end at different steps";
}

TEST_P(Generation, APenaltyTakesFromWhatWasSaid) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  const std::vector<std::vector<int32_t>> few(prompts_.begin(), prompts_.begin() + 3);
  const auto with = [&](double penalty) {
    return Generate(model_, few, {}, {.max_new_tokens = 8, .repetition_penalty = penalty});
  };
  EXPECT_EQ(with(1.0)[0].tokens, Generate(model_, few, {}, {.max_new_tokens = 8})[0].tokens);
  const auto results = with(1e30);
  for (size_t i = 0; i < few.size(); ++i) {
    std::set<int32_t> said(few[i].begin(), few[i].end());
    for (const int32_t token : results[i].tokens) {
      EXPECT_TRUE(said.insert(token).second) << "prompt " << i << " says " << token << " again";
    }
  }
}

// What one sees of the others, and when, is the architecture's; a few of them stand for all.
class Sampled : public Generation {};

INSTANTIATE_TEST_SUITE_P(Tiny, Sampled,
                         ::testing::Values("llama_gqa_tied", "gemma2_caps", "opt_350m",
                                           "phi3_longrope"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Sampled, DoesNotDependOnTheBatch) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  for (const auto& [top_p, top_k] : {std::pair(1.0, 0), std::pair(0.8, 0), std::pair(1.0, 5)}) {
    GenerationOptions options{.max_new_tokens = 10,
                              .temperature = 0.9,
                              .top_p = top_p,
                              .top_k = top_k,
                              .seed = 3,
                              .batch_size = 1};
    const auto alone = Generate(model_, prompts_, {0}, options);
    for (const int64_t batch_size : {2, 7}) {
      if (!TestDevice().is_cpu() && batch_size == 2) continue;
      options.batch_size = batch_size;
      const auto batched = Generate(model_, prompts_, {0}, options);
      for (size_t i = 0; i < prompts_.size(); ++i) {
        EXPECT_EQ(batched[i].tokens, alone[i].tokens) << "prompt " << i;
      }
    }
    options.seed = 4;
    const auto other = Generate(model_, prompts_, {0}, options);
    int64_t differ = 0;
    for (size_t i = 0; i < prompts_.size(); ++i) differ += other[i].tokens != alone[i].tokens;
    EXPECT_GT(differ, 8);
  }
}

TEST_P(Generation, StopsAtTheContext) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  Model model = model_;
  model.config.context = 24;
  const auto results = Generate(model, prompts_, {}, {.max_new_tokens = 100, .batch_size = 4});
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const size_t total = prompts_[i].size() + results[i].tokens.size();
    EXPECT_EQ(total, 25u) << "24 tokens are read, and one more is said";
  }
}

TEST(Sampling, FollowsTheDistribution) {
  const Model model = LoadTiny("llama_plain");
  const std::vector<int32_t> prompt = {5, 60, 33};
  const at::Tensor p = (LastLogits(model, prompt) / 1.5).softmax(-1);
  constexpr int64_t kDraws = 4000;
  const auto count = [&](const GenerationOptions& options) {
    std::vector<int64_t> counts(model.config.vocabulary);
    const std::vector<std::vector<int32_t>> prompts(kDraws, prompt);
    for (const Generated& result : Generate(model, prompts, {}, options)) {
      ++counts[result.tokens.at(0)];
    }
    return at::tensor(counts);
  };
  GenerationOptions options{.max_new_tokens = 1, .temperature = 1.5, .seed = 1, .batch_size = 500};
  // Pearson's statistic over the tokens that are expected at least 5 times; its mean is their
  // number, its standard deviation the root of twice that.
  const at::Tensor counts = count(options), expected = p * kDraws;
  const at::Tensor often = expected.ge(5);
  const double cells = often.sum().item<double>();
  const double chi =
      ((counts - expected).square() / expected).masked_select(often).sum().item<double>();
  EXPECT_GT(cells, 10);
  EXPECT_LT(chi, cells + 5 * std::sqrt(2 * cells));

  options.top_k = 4;
  const at::Tensor best = std::get<1>(p.topk(4));
  EXPECT_EQ(count(options).index({best}).sum().item<int64_t>(), kDraws);

  options.top_k = 0;
  options.top_p = 0.5;
  const auto [sorted, order] = p.sort(-1, true);
  const int64_t nucleus = sorted.cumsum(0).lt(0.5).sum().item<int64_t>() + 1;
  const at::Tensor inside = count(options).index({order.narrow(0, 0, nucleus)});
  EXPECT_EQ(inside.sum().item<int64_t>(), kDraws);
  EXPECT_GT(inside.min().item<int64_t>(), 0) << "the token that crosses top_p belongs to it";
}

TEST(Generate, OddCases) {
  const Model model = LoadTiny("llama_plain");
  EXPECT_TRUE(Generate(model, {}, {}).empty());
  EXPECT_THAT(MessageOf([&] {
                Generate(model, {{1}, {}}, {});
              }),
              HasSubstr("prompt 2 has no tokens"));
}

}  // namespace
}  // namespace grin
