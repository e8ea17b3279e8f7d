#include "grin/tune/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "grin/base/error.h"

namespace grin {
namespace {

std::vector<double> Factors(std::string_view name, int64_t warmup, int64_t steps) {
  std::vector<double> factors;
  for (int64_t step = 0; step <= steps; ++step) {
    factors.push_back(ScheduleFactor(ParseSchedule(name), step, warmup, steps));
  }
  return factors;
}

void ExpectFactors(const std::vector<double>& found, const std::vector<double>& expected) {
  EXPECT_THAT(found, ::testing::Pointwise(::testing::DoubleNear(1e-15), expected));
}

// Golden values: the lr_lambda of transformers' get_linear_schedule_with_warmup(optimizer, 3, 8),
// get_cosine_schedule_with_warmup(optimizer, 3, 8), get_constant_schedule_with_warmup(optimizer,
// 3).
TEST(Schedule, EqualsTransformers) {
  ExpectFactors(Factors("linear", 3, 8),
                {0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0});
  ExpectFactors(Factors("cosine", 3, 8),
                {0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.9045084971874737,
                 0.6545084971874737, 0.34549150281252633, 0.09549150281252633, 0.0});
  ExpectFactors(Factors("constant", 3, 8),
                {0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0});
}

TEST(Schedule, WithoutWarmUpStartsAtTheFullRate) {
  EXPECT_EQ(Factors("linear", 0, 4), (std::vector<double>{1, 0.75, 0.5, 0.25, 0}));
  EXPECT_EQ(Factors("constant", 0, 2), (std::vector<double>{1, 1, 1}));
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
