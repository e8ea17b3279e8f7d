#include "grin/tune/clip.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace grin {
namespace {

std::vector<MaskedParameter> Parameters(const std::vector<at::Tensor>& gradients) {
  std::vector<MaskedParameter> parameters;
  for (const at::Tensor& gradient : gradients) {
    parameters.push_back(MakeMaskedParameter("w", at::zeros_like(gradient), {}));
    parameters.back().gradient = gradient.clone();
  }
  return parameters;
}

TEST(GradientNorm, IsThatOfAllGradientsTogether) {
  EXPECT_DOUBLE_EQ(GradientNorm(Parameters({at::full({2}, 3.0f), at::full({2}, -4.0f)})),
                   std::sqrt(50));
  EXPECT_EQ(GradientNorm({}), 0);
  // Squares beyond the range of fp32.
  EXPECT_NEAR(GradientNorm(Parameters({at::full({4}, 1e30f)})) / 2e30, 1, 1e-6);
}

TEST(GradientNorm, DoesNotDependOnTheNumberOfThreads) {
  at::manual_seed(1);
  const auto parameters = Parameters({at::randn({300001}), at::randn({77777})});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double alone = GradientNorm(parameters);
  at::set_num_threads(7);
  EXPECT_EQ(GradientNorm(parameters), alone);
  at::set_num_threads(threads);
  const double expected = at::cat({parameters[0].gradient, parameters[1].gradient})
                              .to(at::kDouble)
                              .norm()
                              .item<double>();
  EXPECT_NEAR(alone, expected, 1e-9 * expected);
}

// As torch.nn.utils.clip_grad_norm_: gradient * max_norm / (norm + 1e-6), never larger.
TEST(ClipGradients, ScalesDownToTheLargestNorm) {
  auto parameters = Parameters({at::full({1}, 3.0f), at::full({1}, -4.0f)});
  EXPECT_DOUBLE_EQ(ClipGradients(parameters, 1), 5);
  EXPECT_FLOAT_EQ(parameters[0].gradient.item<float>(), static_cast<float>(3 / (5 + 1e-6)));
  EXPECT_FLOAT_EQ(parameters[1].gradient.item<float>(), static_cast<float>(-4 / (5 + 1e-6)));
}

TEST(ClipGradients, LeavesSmallGradientsAlone) {
  auto parameters = Parameters({at::full({1}, 3.0f), at::full({1}, -4.0f)});
  EXPECT_DOUBLE_EQ(ClipGradients(parameters, 6), 5);
  EXPECT_EQ(parameters[0].gradient.item<float>(), 3);
  EXPECT_EQ(parameters[1].gradient.item<float>(), -4);
}

TEST(ClipGradients, LeavesWhatIsNotFiniteToTheCaller) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    auto parameters = Parameters({at::full({1}, bad), at::full({1}, 2.0f)});
    EXPECT_FALSE(std::isfinite(ClipGradients(parameters, 1)));
    EXPECT_EQ(parameters[1].gradient.item<float>(), 2);
  }
}

}  // namespace
}  // namespace grin
