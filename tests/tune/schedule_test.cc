#include "grin/tune/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"

namespace grin {
namespace {

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
