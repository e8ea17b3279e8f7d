#include "grin/model/head.h"

#include <gtest/gtest.h>

#include <cmath>

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
        const at::Tensor hidden = at::randn({50, 24}).to(type);
        const at::Tensor labels = at::randint(0, 301, {50}, at::kLong);
        const at::Tensor logits = PlainLogits(hidden, head);
        const at::Tensor logp = logits.log_softmax(-1);
        const at::Tensor mean = (logp.exp() * logp).sum(-1, true);
        const at::Tensor variance = (logp.exp() * (logp - mean).square()).sum(-1);
        // Chunks of 16 rows, and all at once.
        for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
          for (const bool moments : {false, true}) {
            const LabelScores scores =
                ScoreLabels(hidden, labels, head, nullptr,
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

TEST(LogitsBuffer, FewerAndMoreRowsThanBefore) {
  at::manual_seed(2);
  const Head head = RandomHead(40, 8, true, {}, at::kFloat);
  LogitsBuffer logits(head);
  for (const int64_t rows : {3, 1, 7, 2}) {
    const at::Tensor hidden = at::randn({rows, 8});
    EXPECT_TRUE(at::allclose(logits(hidden), PlainLogits(hidden, head), 1e-5, 1e-5)) << rows;
  }
}

TEST(ArgmaxOfRows, TakesTheFirstOfEqualsAndANan) {
  const float nan = std::nanf("");
  const at::Tensor rows = at::tensor({1.f, 5.f, 5.f, 0.f,      //
                                      -3.f, -2.f, -9.f, -2.f,  //
                                      0.f, 9.f, nan, nan})
                              .view({3, 4});
  EXPECT_TRUE(ArgmaxOfRows(rows).equal(at::tensor({1, 1, 2}, at::kLong)));
  at::manual_seed(3);
  const at::Tensor random = at::randint(0, 50, {70, 33}).to(at::kFloat);
  EXPECT_TRUE(ArgmaxOfRows(random).equal(random.argmax(-1)));
}

}  // namespace
}  // namespace grin
