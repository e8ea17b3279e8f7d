#include "grin/model/head.h"

#include <gtest/gtest.h>

#include "tests/standin/test_device.h"

namespace grin {
namespace {

at::Tensor Numbers(int64_t below, int64_t count) {
  return OnTestDevice(at::randint(0, below, {count}, at::kLong));
}

LabelledRows Labelled(const at::Tensor& rows, const at::Tensor& tokens) {
  const at::Tensor host_rows = rows.cpu(), host_tokens = tokens.cpu();
  const auto values = [](const at::Tensor& t) {
    return std::span(t.const_data_ptr<int64_t>(), static_cast<size_t>(t.numel()));
  };
  return {values(host_rows), values(host_tokens), TestDevice()};
}

Head RandomHead(int64_t vocabulary, int64_t width, bool bias, std::optional<double> softcap,
                at::ScalarType type) {
  Head head{.weight = {.name = "head", .value = DrawNormal({vocabulary, width}).to(type)},
            .softcap = softcap};
  if (bias) head.bias = {.name = "bias", .value = DrawNormal({vocabulary}).to(type)};
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
        const at::Tensor every_hidden = DrawNormal({40, 24}).to(type);
        const at::Tensor rows = Numbers(40, 50);
        const at::Tensor labels = Numbers(301, 50);
        const LabelledRows labelled = Labelled(rows, labels);
        const at::Tensor hidden = every_hidden.index_select(0, rows);
        const at::Tensor logits = PlainLogits(hidden, head);
        const at::Tensor logp = logits.log_softmax(-1);
        const at::Tensor mean = (logp.exp() * logp).sum(-1, true);
        const at::Tensor variance = (logp.exp() * (logp - mean).square()).sum(-1);
        // Tiles of 16 rows and 64 tokens, and all at once.
        for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
          for (const bool moments : {false, true}) {
            const LabelScores scores =
                ScoreLabels(every_hidden.index_select(0, labelled.rows), labelled, head, nullptr,
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
    const at::Tensor rows = Numbers(30, 40);
    const at::Tensor labels = Numbers(101, 40), weights = DrawNormal({40});
    const LabelledRows labelled = Labelled(rows, labels);
    const at::Tensor plain = DrawNormal({30, 12}).requires_grad_(true);
    const at::Tensor logp = PlainLogits(plain.index_select(0, rows), head).log_softmax(-1);
    (logp.gather(1, labels.unsqueeze(1)).squeeze(1) * weights).sum().backward();
    for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
      const at::Tensor hidden = plain.detach().clone().requires_grad_(true);
      const LabelScores scores =
          ScoreLabels(hidden.index_select(0, labelled.rows), labelled, head, nullptr,
                      {.chunk_bytes = chunk_bytes});
      (scores.logp * weights).sum().backward();
      EXPECT_TRUE(at::allclose(hidden.grad(), plain.grad(), 1e-4, 1e-5));
    }
  }
}

// Takes the gradient of the head's weight.
class HeadWeightSink : public GradientSink {
 public:
  bool Wants(const std::string& name) const override { return name == "head"; }
  void AddProduct(const std::string&, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    const at::Tensor product = at::mm(grad_output.to(at::kDouble).t(), input.to(at::kDouble));
    gradient = gradient.defined() ? gradient + product : product;
  }
  void AddRows(const std::string&, const at::Tensor&, const at::Tensor&) override {}
  void AddVector(const std::string&, const at::Tensor&) override {}

  at::Tensor gradient;  // double [V, d]
};

// bf16 has 8 significant bits: rounding is off by half a unit of the last, at most.
constexpr double kHalfUnit = 1.0 / 256;

// How many rows run together decides neither which kernel they meet nor how it rounds: logits of
// near-certain tokens are compared with a normaliser, and what is left of them is small.
class HeadInBf16 : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Rows, HeadInBf16,
                         ::testing::Values(1, 2, 15, 127, 128, 129, 257, 383, 1029));

TEST_P(HeadInBf16, ValuesAndGradientsAreThoseOfTheFactors) {
  at::manual_seed(5);
  const int64_t rows = GetParam(), vocabulary = 1003, width = 64;
  for (const std::optional<double> softcap : {std::optional<double>(), {30.0}}) {
    const Head head = RandomHead(vocabulary, width, false, softcap, at::kBFloat16);
    const at::Tensor factors = DrawNormal({rows, width}).mul(0.75).to(at::kBFloat16);
    // The same in float64, from the very same factors.
    const at::Tensor weight = head.weight.value.to(at::kDouble).requires_grad_(true);
    const at::Tensor exact = factors.to(at::kDouble).requires_grad_(true);
    at::Tensor logits = at::matmul(exact, weight.t());
    if (softcap) logits = (logits / *softcap).tanh() * *softcap;
    const at::Tensor labels = logits.argmax(-1), logp = logits.log_softmax(-1);
    const at::Tensor expected = logp.gather(1, labels.unsqueeze(1)).squeeze(1);
    expected.sum().backward();
    const at::Tensor slope = at::zeros({rows, vocabulary}, TestOptions(at::kDouble))
                                 .scatter_(1, labels.unsqueeze(1), 1.0)
                                 .sub(logp.exp())
                                 .detach();

    const LabelledRows labelled = Labelled(at::arange(rows, TestOptions(at::kLong)), labels);
    for (const int64_t chunk_bytes : {int64_t{1}, kLogitBytes}) {
      const at::Tensor hidden = factors.clone().requires_grad_(true);
      HeadWeightSink sink;
      const LabelScores scores =
          ScoreLabels(hidden, labelled, head, &sink, {.chunk_bytes = chunk_bytes});
      EXPECT_LT((scores.logp - expected).abs().max().item<double>(), 2e-5);
      scores.logp.sum().backward();
      // The sums are as exact as 2e-5 in each logit allows, and rounded to bf16 once. CUDA's products
      // with a bf16 head want each derivative by a logit in bf16 too.
      const double largest = weight.abs().max().item<double>();
      const at::Tensor apart = hidden.grad().to(at::kDouble) - exact.grad();
      at::Tensor rounded = exact.grad().abs();
      if (TestDevice().is_cuda()) rounded = rounded + at::mm(slope.abs(), weight.detach().abs());
      EXPECT_LE((apart.abs() - kHalfUnit * rounded).max().item<double>(), 4e-5 * largest);
      // Each derivative by a logit may be rounded to bf16 before the product.
      const at::Tensor bound = at::mm(slope.abs().t(), exact.detach().abs());
      EXPECT_LE(((sink.gradient - weight.grad()).abs() - kHalfUnit * bound).max().item<double>(),
                4e-5 * static_cast<double>(rows));
    }
  }
}

TEST(VisitLogits, ShowsEveryRowAndGoesBackFromWhatIsPutInItsPlace) {
  at::manual_seed(6);
  const Head head = RandomHead(50, 8, true, 3.0, at::kFloat);
  const at::Tensor plain = DrawNormal({37, 8}).requires_grad_(true);
  const at::Tensor logits = PlainLogits(plain, head);
  logits.square().sum().backward();
  for (const int64_t chunk_bytes : {int64_t{1}, int64_t{1} << 30}) {
    LogitsBuffer buffer(head);
    at::Tensor seen = at::zeros({37, 50}, TestOptions());
    const auto look = [&](int64_t begin, at::Tensor& chunk) {
      seen.narrow(0, begin, chunk.size(0)).add_(chunk);
      chunk.mul_(2);
    };
    VisitLogits(plain.detach(), buffer, look, chunk_bytes);
    EXPECT_TRUE(at::allclose(seen, logits, 1e-5, 1e-5));
    seen.zero_();
    const at::Tensor gradient =
        VisitLogitsAndBack(plain.detach(), buffer, nullptr, look, chunk_bytes);
    EXPECT_TRUE(at::allclose(seen, logits, 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(gradient, plain.grad(), 1e-4, 1e-5));
  }
}

TEST(LogitsBuffer, FewerAndMoreRowsThanBefore) {
  at::manual_seed(2);
  const Head head = RandomHead(40, 8, true, {}, at::kFloat);
  LogitsBuffer logits(head);
  for (const int64_t rows : {3, 1, 7, 2}) {
    const at::Tensor hidden = DrawNormal({rows, 8});
    EXPECT_TRUE(at::allclose(logits(hidden), PlainLogits(hidden, head), 1e-5, 1e-5)) << rows;
  }
}

}  // namespace
}  // namespace grin
