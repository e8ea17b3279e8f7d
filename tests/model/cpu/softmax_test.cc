#include "grin/model/cpu/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/standin/test_device.h"

namespace grin {
namespace {

constexpr RunningSoftmax::Extras kEverything{.argmax = true, .moments = true};

RunningSoftmax InBlocks(const at::Tensor& logits, int64_t width,
                        RunningSoftmax::Extras extras = kEverything) {
  RunningSoftmax softmax(extras);
  for (int64_t first = 0; first < logits.size(1); first += width) {
    const at::Tensor block = logits.narrow(1, first, std::min(width, logits.size(1) - first));
    softmax.Add(OnTestDevice(block), first);
  }
  return softmax;
}

// Against float64, for logits that lie close and far apart, in blocks of any width.
TEST(RunningSoftmax, EqualsTheWholeRowInDouble) {
  at::manual_seed(1);
  for (const double spread : {0.01, 1.0, 30.0, 1000.0}) {
    for (const double offset : {0.0, 50.0}) {
      const at::Tensor logits = at::randn({9, 501}) * spread + offset;
      const at::Tensor wide = logits.to(at::kDouble), logp = wide.log_softmax(-1);
      const at::Tensor p = logp.exp(), mean = (p * logp).sum(-1);
      const at::Tensor variance = (p * (logp - mean.unsqueeze(1)).square()).sum(-1);
      for (const int64_t width : {1, 7, 64, 500, 501}) {
        SCOPED_TRACE(testing::Message() << spread << " " << offset << " " << width);
        const RunningSoftmax softmax = InBlocks(logits, width);
        const auto near = [](const at::Tensor& found, const at::Tensor& expected,
                             double tolerance) {
          return at::allclose(found.to(at::kDouble), expected, tolerance, tolerance);
        };
        EXPECT_TRUE(near(softmax.LogNormaliser().cpu(), wide.logsumexp(-1), 1e-6));
        EXPECT_TRUE(near(softmax.Mean().cpu(), mean, 1e-5));
        EXPECT_TRUE(near(softmax.Variance().cpu(), variance, 1e-5));
        EXPECT_TRUE(softmax.Argmax().cpu().equal(logits.argmax(-1)));
        EXPECT_TRUE(near(InBlocks(logits, width, {}).LogNormaliser().cpu(), wide.logsumexp(-1), 1e-6));
      }
    }
  }
}

// Log-probabilities over whole vocabularies, in the tiles in which the head hands them over, for
// logits from -40 to 40: near ones, where every token counts, and far ones.
TEST(RunningSoftmax, LosesNoTermsOfALargeVocabulary) {
  at::manual_seed(2);
  for (const int64_t vocabulary : {32000, 152064, 262144}) {
    for (const double reach : {0.0, 1.0, 12.0, 40.0}) {
      const at::Tensor logits = (at::rand({2, vocabulary}) * 2 - 1) * reach;
      const at::Tensor exact = logits.to(at::kDouble).log_softmax(-1);
      for (const int64_t width : {4096, 262144}) {
        const at::Tensor normaliser = InBlocks(logits, width, {}).LogNormaliser().cpu().unsqueeze(1);
        const double error = (logits - normaliser - exact).abs().max().item<double>();
        EXPECT_LT(error, 2e-7) << vocabulary << " within " << reach;  // the exponentials' last bits
      }
    }
  }
}

TEST(RunningSoftmax, TheFirstOfEqualsAndANan) {
  const float nan = std::nanf("");
  const at::Tensor logits = at::tensor({1.f, 5.f, 5.f, 0.f,      //
                                        -3.f, -2.f, -9.f, -2.f,  //
                                        0.f, 9.f, nan, nan,      //
                                        nan, 1.f, 2.f, 3.f})
                                .view({4, 4});
  for (const int64_t width : {1, 2, 3, 4}) {
    const RunningSoftmax softmax = InBlocks(logits, width);
    EXPECT_TRUE(softmax.Argmax().cpu().equal(at::tensor({1, 1, 2, 0}, at::kLong))) << width;
    EXPECT_TRUE(
        softmax.LogNormaliser().cpu().isnan().to(at::kLong).equal(at::tensor({0, 0, 1, 1}, at::kLong)));
  }
}

TEST(RunningSoftmax, TokensThatAreRuledOut) {
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor logits = at::tensor({-infinity, -infinity, 1.f, 2.f, -infinity}).view({1, 5});
  for (const int64_t width : {1, 2, 3, 5}) {
    EXPECT_TRUE(at::allclose(InBlocks(logits, width, {}).LogNormaliser().cpu(),
                             logits.to(at::kDouble).logsumexp(-1)));
  }
}

TEST(ArgmaxOfRows, TakesTheFirstOfEqualsAndANan) {
  const float nan = std::nanf("");
  const at::Tensor rows = at::tensor({1.f, 5.f, 5.f, 0.f,      //
                                      -3.f, -2.f, -9.f, -2.f,  //
                                      0.f, 9.f, nan, nan})
                              .view({3, 4});
  EXPECT_TRUE(ArgmaxOfRows(OnTestDevice(rows)).cpu().equal(at::tensor({1, 1, 2}, at::kLong)));
  at::manual_seed(3);
  const at::Tensor random = at::randint(0, 50, {70, 33}).to(at::kFloat);
  EXPECT_TRUE(ArgmaxOfRows(OnTestDevice(random)).cpu().equal(random.argmax(-1)));
}

// Against LibTorch's own kernel for a dimension that is not the last.
TEST(SerialLogNormaliser, EqualsLibTorchOverTransposedLogits) {
  at::manual_seed(3);
  for (const int64_t rows : {1, 8, 21}) {
    for (const double spread : {0.5, 3.0}) {
      const at::Tensor logits = at::randn({rows, 32000}) * spread;
      const at::Tensor transposed = logits.t().contiguous().unsqueeze(0);  // [1, V, N]
      const at::Tensor logp = transposed.log_softmax(1).squeeze(0).t();
      const at::Tensor found = logits - SerialLogNormaliser(logits).unsqueeze(1);
      EXPECT_LT((found - logp).abs().max().item<double>(), 4e-6) << rows << " " << spread;
    }
  }
}

// What the form is for: its sums are not exact. If LibTorch's kernel adds in another way one day,
// the test above fails, and this one says what it was about.
TEST(SerialLogNormaliser, LosesWhatIsBelowTheLastPlace) {
  at::Tensor logits = at::full({1, 32001}, -17.0);  // exp(-17) is below half of 2^-24 times 1.4
  logits.index_put_({0, 0}, 0.0);
  EXPECT_EQ(SerialLogNormaliser(logits).item<float>(), 0.0f);
  EXPECT_GT(logits.logsumexp(-1).item<double>(), 1e-3);
}

TEST(SerialLogNormaliser, NanStays) {
  at::Tensor logits = at::zeros({9, 5});
  logits.index_put_({4, 2}, std::numeric_limits<float>::quiet_NaN());
  const at::Tensor found = SerialLogNormaliser(logits);
  EXPECT_TRUE(found[4].isnan().item<bool>());
  EXPECT_EQ(found.isnan().sum().item<int64_t>(), 1);
}

}  // namespace
}  // namespace grin
