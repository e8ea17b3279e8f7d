#include "grin/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace grin {
namespace {

TEST(RandomStream, IsAPureFunctionOfSeedStreamAndPosition) {
  const RandomStream a(7, "w"), b(7, "w"), other_seed(8, "w"), other_stream(7, "v");
  EXPECT_EQ(a.Bits(123), b.Bits(123));
  EXPECT_NE(a.Bits(123), a.Bits(124));
  EXPECT_NE(a.Bits(123), other_seed.Bits(123));
  EXPECT_NE(a.Bits(123), other_stream.Bits(123));
}

TEST(RandomStream, NormalHasTheMomentsOfANormal) {
  const RandomStream random(1, "moments");
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.Normal(i);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kCount, 0.0, 0.01);
  EXPECT_NEAR(squares / kCount, 1.0, 0.015);
  EXPECT_NEAR(fourth / kCount, 3.0, 0.1);
}

TEST(RandomStream, BelowStaysBelowAndReachesAll) {
  const RandomStream random(3, "below");
  int seen[5] = {};
  for (int i = 0; i < 1000; ++i) {
    const uint64_t x = random.Below(i, 5);
    ASSERT_LT(x, 5u);
    ++seen[x];
  }
  for (const int count : seen) EXPECT_GT(count, 100);
}

TEST(DrawWithoutReplacement, DrawsEachNumberAtMostOnceAndAllEquallyOften) {
  std::vector<int> drawn(6, 0);
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const auto numbers = DrawWithoutReplacement(RandomStream(seed, "draw"), 6, 2);
    ASSERT_EQ(numbers.size(), 2u);
    ASSERT_NE(numbers[0], numbers[1]);
    for (const int64_t number : numbers) ++drawn.at(static_cast<size_t>(number));
  }
  for (const int count : drawn) EXPECT_NEAR(count, 1000, 130);  // five standard deviations
  auto all = DrawWithoutReplacement(RandomStream(1, "draw"), 4, 9);
  std::ranges::sort(all);
  EXPECT_EQ(all, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_TRUE(DrawWithoutReplacement(RandomStream(1, "draw"), 0, 3).empty());
}

}  // namespace
}  // namespace grin
