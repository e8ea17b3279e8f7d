#include "grin/tune/clip.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"

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

std::vector<MaskedParameter> Parameters(const Json& lists) {
  std::vector<at::Tensor> gradients;
  for (const Json& list : lists) gradients.push_back(at::tensor(list.get<std::vector<float>>()));
  return Parameters(gradients);
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

TEST(ClipGradients, EqualsPyTorch) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/adamw.json"));
  for (const Json& clip : golden["clips"]) {
    auto parameters = Parameters(clip["gradients"]);
    EXPECT_FLOAT_EQ(ClipGradients(parameters, clip["max_norm"]), clip["norm"].get<float>());
    for (size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor expected = at::tensor(clip["clipped"][i].get<std::vector<float>>());
      EXPECT_TRUE(at::allclose(parameters[i].gradient, expected, 1e-6, 0));
    }
  }
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
