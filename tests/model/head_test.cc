#include "grin/model/head.h"

#include <gtest/gtest.h>

namespace grin {
namespace {

Head RandomHead(int64_t vocabulary, int64_t width, bool bias, std::optional<double> softcap,
                at::ScalarType type) {
  Head head{.weight = {.name = "head", .value = at::randn({vocabulary, width}).to(type)},
            .softcap = softcap};
  if (bias) head.bias = {.name = "bias", .value = at::randn({vocabulary}).to(type)};
  return head;
}

at::Tensor PlainLogits(const at::Tensor& hidden, const Head& head) {
  at::Tensor logits = at::matmul(hidden, head.weight.value.t());
  if (head.bias.defined()) logits = logits + head.bias.value;
  logits = logits.to(at::kFloat);
  return head.softcap ? (logits / *head.softcap).tanh() * *head.softcap : logits;
}

TEST(Head, ScoresEqualThePlainOperations) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const bool bias : {false, true}) {
      for (const std::optional<double> softcap : {std::optional<double>(), {2.0}}) {
        const Head head = RandomHead(301, 24, bias, softcap, type);
        // Rows in any order; some predict several labels, some none.
        const at::Tensor every_hidden = at::randn({40, 24}).to(type);
        const at::Tensor rows = at::randint(0, 40, {50}, at::kLong);
        const at::Tensor labels = at::randint(0, 301, {50}, at::kLong);
        const at::Tensor hidden = every_hidden.index_select(0, rows);
        const at::Tensor logits = PlainLogits(hidden, head);
        const at::Tensor logp = logits.log_softmax(-1);
        const at::Tensor mean = (logp.exp() * logp).sum(-1, true);
        const at::Tensor variance = (logp.exp() * (logp - mean).square()).sum(-1);
        // Tiles of 16 rows and 64 tokens, and all at once.
        for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
          for (const bool moments : {false, true}) {
            const LabelScores scores =
                ScoreLabels(every_hidden, rows, labels, head, nullptr,
                            {.chunk_bytes = chunk_bytes, .argmax = true, .moments = moments});
            const double tolerance = type == at::kFloat ? 1e-5 : 5e-2;
            const auto near = [&](const at::Tensor& a, const at::Tensor& b) {
              return at::allclose(a, b, tolerance, tolerance);
            };
            EXPECT_TRUE(near(scores.logp, logp.gather(1, labels.unsqueeze(1)).squeeze(1)));
            if (type == at::kFloat) {
              EXPECT_TRUE(scores.argmax.equal(logits.argmax(-1)));
            }
            if (moments) {
              EXPECT_TRUE(near(scores.mean, mean.squeeze(1)));
              EXPECT_TRUE(near(scores.variance, variance));
            }
          }
        }
      }
    }
  }
}

// d logp / d hidden against autograd over the plain operations, where rows predict several labels.
TEST(Head, GradientEqualsThatOfThePlainOperations) {
  at::manual_seed(4);
  for (const std::optional<double> softcap : {std::optional<double>(), {2.0}}) {
    const Head head = RandomHead(101, 12, true, softcap, at::kFloat);
    const at::Tensor rows = at::randint(0, 30, {40}, at::kLong);
    const at::Tensor labels = at::randint(0, 101, {40}, at::kLong), weights = at::randn({40});
    const at::Tensor plain = at::randn({30, 12}).requires_grad_(true);
    const at::Tensor logp = PlainLogits(plain.index_select(0, rows), head).log_softmax(-1);
    (logp.gather(1, labels.unsqueeze(1)).squeeze(1) * weights).sum().backward();
    for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
      const at::Tensor hidden = plain.detach().clone().requires_grad_(true);
      const LabelScores scores =
          ScoreLabels(hidden, rows, labels, head, nullptr, {.chunk_bytes = chunk_bytes});
      (scores.logp * weights).sum().backward();
      EXPECT_TRUE(at::allclose(hidden.grad(), plain.grad(), 1e-4, 1e-5));
    }
  }
}

TEST(LogitsBuffer, FewerAndMoreRowsThanBefore) {
  at::manual_seed(2);
  const Head head = RandomHead(40, 8, true, {}, at::kFloat);
  LogitsBuffer logits(head);
  for (const int64_t rows : {3, 1, 7, 2}) {
    const at::Tensor hidden = at::randn({rows, 8});
    EXPECT_TRUE(at::allclose(logits(hidden), PlainLogits(hidden, head), 1e-5, 1e-5)) << rows;
  }
}

}  // namespace
}  // namespace grin
