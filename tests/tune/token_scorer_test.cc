// Learned token weights: by hand, against autograd, and through a model.

#include "grin/tune/token_scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "grin/tune/accumulate.h"
#include "grin/tune/tune_plan.h"
#include "tests/locate/influence_golden.h"
#include "tests/model/every_gradient.h"
#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

double LogisticOf(double x) { return 1 / (1 + std::exp(-x)); }

TEST(TokenScorer, StartsWithAllTokensAlike) {
  const TokenScorer scorer(3, at::kCPU);
  EXPECT_TRUE(at::allclose(scorer.Weights(at::randn({5, 3}), {0, 2, 5}), at::ones({5})));
}

// One number a row; weights 2, bias -1: sigmoids of 1 and -1 in one sequence, a sequence of its
// own.
TEST(TokenScorer, ByHand) {
  TokenScorer scorer(1, at::kCPU);
  scorer.state().select(0, 0).copy_(at::tensor({2.0f, -1.0f}));
  const at::Tensor rows = at::tensor({1.0f, 0.0f, 5.0f}).view({3, 1});
  const double s1 = LogisticOf(1), s2 = LogisticOf(-1);
  const double first = std::exp(s1) / (std::exp(s1) + std::exp(s2));
  const at::Tensor weights = scorer.Weights(rows, {0, 2, 3});
  EXPECT_NEAR(weights[0].item<double>(), 2 * first, 1e-6);
  EXPECT_NEAR(weights[1].item<double>(), 2 * (1 - first), 1e-6);
  EXPECT_NEAR(weights[2].item<double>(), 1, 1e-6);

  // NLL 3 and 1: the first token's weight is to rise. d / d s1 = w1 w2 (3 - 1), and so on down.
  scorer.AddGradient(rows, {0, 2, 3}, at::tensor({-3.0f, -1.0f, -7.0f}), {0.5, 0.5});
  const double by_s1 = 0.5 * first * (1 - first) * 2, by_s2 = -by_s1;
  double by_a = by_s1 * s1 * (1 - s1) * 1 + by_s2 * s2 * (1 - s2) * 0;
  double by_b = by_s1 * s1 * (1 - s1) + by_s2 * s2 * (1 - s2);
  EXPECT_LT(std::hypot(by_a, by_b), 1) << "nothing is clipped here";
  scorer.Step();
  const double a = 2 + 0.1 * (by_a - 1e-4 * 2), b = -1 + 0.1 * (by_b + 1e-4 * 1);
  EXPECT_NEAR(scorer.state()[0][0].item<double>(), a, 1e-6);
  EXPECT_NEAR(scorer.state()[0][1].item<double>(), b, 1e-6);
  scorer.Step();  // without a gradient: momentum and decay alone
  EXPECT_NEAR(scorer.state()[0][0].item<double>(), a + 0.1 * (0.9 * (by_a - 2e-4) - 1e-4 * a),
              1e-6);
}

// A step changes the scorer as torch.optim.SGD would, by the gradient that autograd finds.
TEST(TokenScorer, EqualsAutograd) {
  at::manual_seed(3);
  constexpr int64_t kWidth = 6;
  const std::vector<int64_t> offsets = {0, 4, 5, 12};
  const std::vector<double> shares = {0.2, 0.3, 0.5};
  const at::Tensor rows = at::randn({12, kWidth}), logp = -3 * at::rand({12});
  TokenScorer scorer(kWidth, at::kCPU);
  scorer.state().select(0, 0).copy_(at::randn({kWidth + 1}));
  const at::Tensor start = scorer.state()[0].to(at::kDouble).requires_grad_();
  const at::Tensor sigmoids =
      at::sigmoid(rows.to(at::kDouble).matmul(start.narrow(0, 0, kWidth)) + start[kWidth]);
  at::Tensor sum = at::zeros({}, at::kDouble);
  std::vector<at::Tensor> weights;
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const at::Tensor softmax = at::softmax(sigmoids.slice(0, offsets[i], offsets[i + 1]), 0);
    weights.push_back(softmax * static_cast<double>(offsets[i + 1] - offsets[i]));
    sum = sum -
          shares[i] * (softmax * logp.to(at::kDouble).slice(0, offsets[i], offsets[i + 1])).sum();
  }
  EXPECT_LT(LargestError(scorer.Weights(rows, offsets), at::cat(weights).detach()), 1e-5);
  sum.backward();
  for (const double factor : {1.0, 100.0}) {  // the second is clipped
    TokenScorer stepped(kWidth, at::kCPU);
    stepped.state().copy_(scorer.state());
    std::vector<double> scaled = shares;
    for (double& share : scaled) share *= factor;
    stepped.AddGradient(rows, offsets, logp, scaled);
    stepped.Step();
    const at::Tensor gradient = factor * start.grad();
    const double norm = gradient.norm().item<double>();
    const at::Tensor down = -gradient * std::min(1.0, 1 / (norm + 1e-6)) + 1e-4 * start.detach();
    EXPECT_LT(LargestError(stepped.state()[0], start.detach() - 0.1 * down), 1e-5);
  }
}

class LearnedTokensTest : public ::testing::Test {
 protected:
  LossTerm Term(const char* name) const {
    const Objective& objective = FindForgetObjective(name);
    return {.name = "forget",
            .objective = &objective,
            .settings = DefaultSettings(objective),
            .sequences = &data_.forget,
            .learned_tokens = true};
  }
  double LossOf(const LossTerm& term, int64_t pass_tokens, EveryGradient* sink,
                TokenWeighing weighing) const {
    std::vector<int64_t> all(term.units());
    std::iota(all.begin(), all.end(), int64_t{0});
    int64_t tokens = 0;
    return Accumulate(model_, term, all, pass_tokens, sink, tokens, weighing).item<double>();
  }

  const Model model_ = LoadTiny("llama_gqa_tied");
  const InfluenceGolden data_{"llama_gqa_tied"};
};

// A scorer that prefers some tokens does what those weights, written down, do; in every kind.
TEST_F(LearnedTokensTest, WeighWhatTheScorerSays) {
  at::manual_seed(8);
  TokenScorer scorer(model_.head.weight.value.size(1), TestDevice());
  scorer.state().select(0, 0).copy_(0.3 * at::randn({scorer.state().size(1)}));
  // The weights, one sequence at a time.
  std::vector<Sequence> weighed = data_.forget;
  for (Sequence& sequence : weighed) {
    const Sequence* one[] = {&sequence};
    const at::Tensor rows = HeadRowsAtLabels(model_, Pack(one, TestDevice()));
    const at::Tensor weights = scorer.Weights(rows, {0, rows.size(0)});
    for (size_t n = 0; n < sequence.label_weights.size(); ++n) {
      sequence.label_weights[n] = weights[static_cast<int64_t>(n)].item<float>();
    }
    if (rows.size(0) > 1) {
      EXPECT_GT(weights.max().item<double>(), 1.01 * weights.min().item<double>());
    }
  }
  for (const char* name : {"graddiff", "npo", "wga", "undial", "pdu", "ceu"}) {
    LossTerm learned = Term(name), written = Term(name);
    ComputeReference(model_, learned, 4096);
    if (learned.reference.defined()) {  // npo at its reference says nothing
      learned.reference.values = learned.reference.values.clone().mul_(1.1);
    }
    written.reference = learned.reference;
    written.learned_tokens = false;
    written.sequences = &weighed;
    for (const int64_t pass_tokens : {16, 4096}) {
      EveryGradient a(*model_.weights), b(*model_.weights);
      const double loss = LossOf(written, pass_tokens, &b, {});
      EXPECT_NEAR(LossOf(learned, pass_tokens, &a, {.scorer = &scorer, .learns = true}), loss,
                  1e-5 * (1 + std::abs(loss)))
          << name;
      for (const auto& [weight, gradient] : b.gradients) {
        EXPECT_LT(LargestError(a.gradients.at(weight), gradient.to(at::kDouble)),
                  1e-5 * (1 + gradient.abs().max().item<double>()))
            << name << " " << weight;
      }
    }
  }
}

// What the scorer learns from an objective's pass does not depend on the passes or on the
// objective.
TEST_F(LearnedTokensTest, TheScorerLearnsTheSameFromEveryPass) {
  at::Tensor first;
  for (const char* name : {"graddiff", "undial"}) {
    LossTerm term = Term(name);
    ComputeReference(model_, term, 4096);
    for (const int64_t pass_tokens : {16, 4096}) {
      TokenScorer scorer(model_.head.weight.value.size(1), TestDevice());
      EveryGradient sink(*model_.weights);
      LossOf(term, pass_tokens, &sink, {.scorer = &scorer, .learns = true});
      scorer.Step();
      if (!first.defined()) first = scorer.state().clone();
      EXPECT_GT(first[0].abs().max().item<double>(), 1e-4);
      EXPECT_LT(LargestError(scorer.state(), first.to(at::kDouble)), 1e-6) << name;
    }
  }
}

TEST(LearnedTokens, AreRefusedWhereTheTrueAnswerIsNotSeen) {
  for (const char* name : {"rmu", "po", "jensun"}) {
    ObjectiveOptions options;
    options.objective = name;
    options.refusals = "a file";
    options.forget_tokens = "learned";
    EXPECT_THAT(MessageOf([&] { CheckObjectiveOptions(options); }),
                HasSubstr(std::string("which --objective ") + name + " does not see"));
  }
  ObjectiveOptions options;
  options.forget_tokens = "learned";
  EXPECT_EQ(MessageOf([&] { CheckObjectiveOptions(options); }), "no error");
}

}  // namespace
}  // namespace grin
