#include "grin/model/running_softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace grin {
namespace {

constexpr RunningSoftmax::Extras kEverything{.argmax = true, .moments = true};

RunningSoftmax InBlocks(const at::Tensor& logits, int64_t width,
                        RunningSoftmax::Extras extras = kEverything) {
  RunningSoftmax softmax(extras);
  for (int64_t first = 0; first < logits.size(1); first += width) {
    softmax.Add(logits.narrow(1, first, std::min(width, logits.size(1) - first)), first);
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
        EXPECT_TRUE(near(softmax.LogNormaliser(), wide.logsumexp(-1), 1e-6));
        EXPECT_TRUE(near(softmax.Mean(), mean, 1e-5));
        EXPECT_TRUE(near(softmax.Variance(), variance, 1e-5));
        EXPECT_TRUE(softmax.Argmax().equal(logits.argmax(-1)));
        EXPECT_TRUE(near(InBlocks(logits, width, {}).LogNormaliser(), wide.logsumexp(-1), 1e-6));
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
    EXPECT_TRUE(softmax.Argmax().equal(at::tensor({1, 1, 2, 0}, at::kLong))) << width;
    EXPECT_TRUE(
        softmax.LogNormaliser().isnan().to(at::kLong).equal(at::tensor({0, 0, 1, 1}, at::kLong)));
  }
}

TEST(RunningSoftmax, TokensThatAreRuledOut) {
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor logits = at::tensor({-infinity, -infinity, 1.f, 2.f, -infinity}).view({1, 5});
  for (const int64_t width : {1, 2, 3, 5}) {
    EXPECT_TRUE(at::allclose(InBlocks(logits, width, {}).LogNormaliser(), logits.logsumexp(-1)));
  }
}

}  // namespace
}  // namespace grin
