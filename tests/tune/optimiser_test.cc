// Schedules, the gradient's norm and clipping.

#include "grin/tune/optimiser.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

double NormOf(const at::Tensor& gradient) { return GradientNorm(gradient).item<double>(); }

TEST(GradientNorm, IsThatOfAllEntries) {
  EXPECT_DOUBLE_EQ(NormOf(OnTestDevice(at::tensor(std::vector<float>{3, 3, -4, -4}))), std::sqrt(50));
  EXPECT_EQ(NormOf(OnTestDevice(at::empty({0}))), 0);
  // Squares beyond the range of fp32.
  EXPECT_NEAR(NormOf(OnTestDevice(at::full({4}, 1e30f))) / 2e30, 1, 1e-6);
}

TEST(GradientNorm, DoesNotDependOnTheNumberOfThreads) {
  at::manual_seed(1);
  const at::Tensor gradient = OnTestDevice(at::randn({377778}));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double alone = NormOf(gradient);
  at::set_num_threads(7);
  EXPECT_EQ(NormOf(gradient), alone);
  at::set_num_threads(threads);
  const double expected = gradient.to(at::kDouble).norm().item<double>();
  EXPECT_NEAR(alone, expected, 1e-9 * expected);
}

TEST(ClipGradient, EqualsPyTorch) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/adamw.json"));
  for (const Json& clip : golden["clips"]) {
    const auto joined = [](const Json& lists) {
      std::vector<at::Tensor> parts;
      for (const Json& list : lists) parts.push_back(at::tensor(list.get<std::vector<float>>()));
      return OnTestDevice(at::cat(parts));
    };
    at::Tensor gradient = joined(clip["gradients"]);
    const double norm = NormOf(gradient);
    EXPECT_FLOAT_EQ(norm, clip["norm"].get<float>());
    ClipGradient(gradient, norm, clip["max_norm"]);
    EXPECT_TRUE(at::allclose(gradient, joined(clip["clipped"]), 1e-6, 0));
  }
}

TEST(ClipGradient, LeavesSmallGradientsAlone) {
  at::Tensor gradient = OnTestDevice(at::tensor(std::vector<float>{3, -4}));
  ClipGradient(gradient, NormOf(gradient), 6);
  EXPECT_TRUE(at::equal(gradient.cpu(), at::tensor(std::vector<float>{3, -4})));
}

TEST(ClipGradient, LeavesWhatIsNotFiniteToTheCaller) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    at::Tensor gradient = OnTestDevice(at::tensor(std::vector<float>{bad, 2}));
    const double norm = NormOf(gradient);
    EXPECT_FALSE(std::isfinite(norm));
    ClipGradient(gradient, norm, 1);
    EXPECT_EQ(gradient[1].item<float>(), 2);
  }
}

std::vector<double> Factors(std::string_view name, int64_t warmup, int64_t steps) {
  std::vector<double> factors;
  for (int64_t step = 0; step < steps; ++step) {
    factors.push_back(ScheduleFactor(ParseSchedule(name), step, warmup, steps));
  }
  return factors;
}

TEST(Schedule, EqualsTransformers) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/adamw.json"));
  for (const Json& run : golden["schedules"]) {
    const std::string name = run["schedule"];
    EXPECT_THAT(Factors(name, run["warmup"], run["steps"]),
                ::testing::Pointwise(::testing::DoubleNear(1e-15),
                                     run["factors"].get<std::vector<double>>()))
        << name;
  }
}

TEST(Schedule, WithoutWarmUpStartsAtTheFullRate) {
  EXPECT_EQ(Factors("linear", 0, 4), (std::vector<double>{1, 0.75, 0.5, 0.25}));
  EXPECT_EQ(Factors("constant", 0, 2), (std::vector<double>{1, 1}));
  EXPECT_EQ(Factors("cosine", 0, 2).front(), 1);
}

TEST(Schedule, StaysAtZeroPastTheEnd) {
  for (const auto schedule : {Schedule::kLinear, Schedule::kCosine}) {
    EXPECT_NEAR(ScheduleFactor(schedule, 15, 3, 10), 0, 1e-15);
  }
}

TEST(Schedule, IsParsed) {
  EXPECT_EQ(ParseSchedule("linear"), Schedule::kLinear);
  EXPECT_THAT([] { ParseSchedule("cosin"); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("did you mean cosine?")));
}

}  // namespace
}  // namespace grin
