#include "grin/model/serial_softmax.h"

#include <gtest/gtest.h>

#include <limits>

namespace grin {
namespace {

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
