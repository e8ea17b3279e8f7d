#include "grin/ranks/deal.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace grin {
namespace {

TEST(DealOut, DealsEveryThingOnceAndEvenly) {
  std::mt19937_64 random(5);
  for (const int64_t parts : {1, 2, 3, 4, 7, 8, 64}) {
    std::vector<int64_t> costs(200);
    for (int64_t& cost : costs) cost = 1 + static_cast<int64_t>(random() % 100);
    std::vector<int64_t> seen;
    int64_t lightest = INT64_MAX, heaviest = 0;
    const auto dealt = DealOut(costs, parts);
    ASSERT_EQ(dealt.size(), static_cast<size_t>(parts));
    for (const auto& part : dealt) {
      EXPECT_TRUE(std::ranges::is_sorted(part));
      int64_t sum = 0;
      for (const int64_t i : part) sum += costs[i];
      lightest = std::min(lightest, sum);
      heaviest = std::max(heaviest, sum);
      seen.insert(seen.end(), part.begin(), part.end());
    }
    std::ranges::sort(seen);
    std::vector<int64_t> all(costs.size());
    std::iota(all.begin(), all.end(), int64_t{0});
    EXPECT_EQ(seen, all);
    // What was put on the heaviest last found it the lightest.
    EXPECT_LE(heaviest - lightest, 100) << parts;
  }
}

// Fewer things than parts: no process of two, or of four, goes without.
TEST(DealOut, FewThingsGoToDistantParts) {
  const std::vector<int64_t> costs(4, 10);
  const auto dealt = DealOut(costs, 8);
  for (const size_t part : {0u, 2u, 4u, 6u}) EXPECT_EQ(dealt[part].size(), 1u) << part;
  for (const size_t part : {1u, 3u, 5u, 7u}) EXPECT_TRUE(dealt[part].empty()) << part;
}

TEST(DealOut, NothingToDeal) {
  EXPECT_EQ(DealOut({}, 2), (std::vector<std::vector<int64_t>>(2)));
}

}  // namespace
}  // namespace grin
