// Statistics against scipy and scikit-learn, by tests/data/make_statistics_goldens.py.

#include "grin/metric/statistics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "grin/base/random.h"
#include "grin/metric/kolmogorov_smirnov.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

const double kNan = std::numeric_limits<double>::quiet_NaN();

// The samples of the golden script.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}
  int64_t Below(int64_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(bound));
  }
  std::vector<double> Sample(int64_t size, int64_t levels, int64_t shift) {
    std::vector<double> sample;
    for (; size > 0; --size) {
      sample.push_back(static_cast<double>(Below(levels) + shift) / static_cast<double>(levels));
    }
    return sample;
  }

 private:
  uint64_t state_;
};

std::pair<std::vector<double>, std::vector<double>> Samples(int64_t index, int64_t count) {
  constexpr std::pair<int64_t, int64_t> kLarge[] = {{10000, 9999}, {10000, 7},     {10001, 9},
                                                    {10001, 130},  {12000, 11000}, {10050, 600},
                                                    {11000, 10950}};
  constexpr int64_t kMost[] = {6, 40, 200, 900};
  constexpr int64_t kLevels[] = {3, 20, 1000, 1 << 30};
  constexpr int64_t kShifts[] = {2, 5, 20};
  constexpr int64_t kLargeCount = std::size(kLarge);
  Generator generator(static_cast<uint64_t>(index));
  int64_t first = 0, second = 0;
  if (index >= count - kLargeCount) {
    std::tie(first, second) = kLarge[index - (count - kLargeCount)];
  } else {
    const int64_t most = kMost[generator.Below(4)];
    first = 1 + generator.Below(most);
    second = generator.Below(3) == 0 ? first : 1 + generator.Below(most);
  }
  const int64_t levels = kLevels[generator.Below(4)];
  const int64_t times = generator.Below(3);
  const int64_t shift = times * levels / kShifts[generator.Below(3)];
  auto a = generator.Sample(first, levels, 0);
  return {std::move(a), generator.Sample(second, levels, shift)};
}

void ExpectNear(double value, double expected, double relative, const std::string& what) {
  EXPECT_NEAR(value, expected, relative * expected + 1e-300) << what;
}

TEST(Statistics, KolmogorovSmirnovAndAucEqualScipyAndSklearn) {
  const Json pairs = GoldenJson("eval/statistics.json")["pairs"];
  const auto count = static_cast<int64_t>(pairs.size());
  ASSERT_EQ(count, 1000);
  for (int64_t i = 0; i < count; ++i) {
    const auto [a, b] = Samples(i, count);
    const std::string what = fmt::format("pair {}: {} and {} values", i, a.size(), b.size());
    const KsResult result = KsTest(a, b);
    EXPECT_EQ(result.statistic, pairs[i][0].get<double>()) << what;
    ExpectNear(result.p_value, pairs[i][1], 1e-9, what);
    ExpectNear(Auc(a, b), pairs[i][2], 1e-12, what);
  }
}

TEST(Statistics, KolmogorovTailEqualsScipy) {
  const Json tail = GoldenJson("eval/statistics.json")["tail"];
  ASSERT_GT(tail.size(), 300u);
  for (const Json& row : tail) {
    ExpectNear(KolmogorovTail(row[0], row[1]), row[2], 1e-9, row.dump());
  }
}

TEST(Statistics, KolmogorovSmirnovIsSymmetricAndHeedsOrderOnly) {
  for (int64_t i = 0; i < 200; ++i) {
    auto [a, b] = Samples(i, 1000);
    const KsResult result = KsTest(a, b), swapped = KsTest(b, a);
    EXPECT_EQ(result.statistic, swapped.statistic);
    ExpectNear(swapped.p_value, result.p_value, 1e-12, "swapped");
    for (double& value : a) value = std::exp(3 * value);
    for (double& value : b) value = std::exp(3 * value);
    EXPECT_EQ(KsTest(a, b).p_value, result.p_value);
  }
}

// The exact p-value is the share of all ways to deal the values to two samples.
TEST(Statistics, KolmogorovSmirnovCountsDeals) {
  for (const auto& [m, n] : {std::pair{4, 7}, {6, 6}, {8, 4}, {1, 9}, {5, 5}}) {
    const int total = m + n;
    std::vector<double> statistics;
    for (int deal = 0; deal < 1 << total; ++deal) {
      std::vector<double> a, b;
      for (int i = 0; i < total; ++i) (deal >> i & 1 ? a : b).push_back(i);
      if (static_cast<int>(a.size()) == m) statistics.push_back(KsTest(a, b).statistic);
    }
    std::vector<double> a(m), b(n);
    for (int shift = 0; shift <= m; ++shift) {
      std::iota(a.begin(), a.end(), shift + 0.5);
      std::iota(b.begin(), b.end(), 0.0);
      const KsResult result = KsTest(a, b);
      const auto extreme =
          std::ranges::count_if(statistics, [&](double d) { return d > result.statistic - 1e-9; });
      EXPECT_NEAR(result.p_value,
                  static_cast<double>(extreme) / static_cast<double>(statistics.size()), 1e-12);
    }
  }
}

TEST(Statistics, HarmonicMeanEqualsScipy) {
  for (const Json& row : GoldenJson("eval/statistics.json")["hmean"]) {
    ExpectNear(HarmonicMean(row[0].get<std::vector<double>>()), row[1], 1e-12, row.dump());
  }
  EXPECT_EQ(HarmonicMean(std::vector{-0.0, 1.0}), 0);
}

TEST(Statistics, AucOfSeparatedTiedAndMixedValues) {
  EXPECT_EQ(Auc(std::vector{1.0, 2.0}, std::vector{3.0, 4.0}), 1);
  EXPECT_EQ(Auc(std::vector{3.0, 4.0}, std::vector{1.0, 2.0}), 0);
  EXPECT_EQ(Auc(std::vector{1.0, 1.0}, std::vector{1.0}), 0.5);
  EXPECT_EQ(Auc(std::vector{1.0, 2.0}, std::vector{2.0, 2.0}), 0.75);
}

TEST(Statistics, BootstrapCoversTheTrueMeanAsOftenAsItSays) {
  const RandomStream random(7, "coverage");
  uint64_t draw = 0;
  int covered = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values(60);
    for (double& value : values) value = random.Uniform(draw++);
    const Interval interval =
        BootstrapMean(values, {.resamples = 400, .confidence = 0.9, .seed = uint64_t(trial)});
    EXPECT_LE(interval.low, Mean(values));
    EXPECT_GE(interval.high, Mean(values));
    covered += interval.low <= 0.5 && 0.5 <= interval.high;
  }
  // 0.9 less a point for 60 values; the standard error of the count is 0.015.
  EXPECT_NEAR(static_cast<double>(covered) / kTrials, 0.89, 0.045);
}

TEST(Statistics, BootstrapFollowsItsSeedAndConfidence) {
  std::vector<double> values;
  for (int i = 0; i < 30; ++i) values.push_back(std::sin(i));
  const Interval once = BootstrapMean(values), again = BootstrapMean(values);
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
  EXPECT_NE(BootstrapMean(values, {.seed = 1}).low, once.low);
  const Interval narrow = BootstrapMean(values, {.confidence = 0.5});
  EXPECT_GT(narrow.low, once.low);
  EXPECT_LT(narrow.high, once.high);
  const Interval constant = BootstrapMean(std::vector{0.25, 0.25, 0.25});
  EXPECT_EQ(constant.low, 0.25);
  EXPECT_EQ(constant.high, 0.25);
}

TEST(Statistics, StandardErrorOfAProportion) {
  EXPECT_DOUBLE_EQ(StandardErrorOfProportion(0.5, 100), 0.05);
  EXPECT_EQ(StandardErrorOfProportion(1, 3), 0);
}

TEST(Statistics, RefuseWhatHasNoAnswer) {
  const std::vector<double> none, some = {0.5}, bad = {0.5, kNan};
  EXPECT_THAT(MessageOf([&] { KsTest(none, some); }), HasSubstr("has no values"));
  EXPECT_THAT(MessageOf([&] { KsTest(some, bad); }), HasSubstr("NaN"));
  EXPECT_THAT(MessageOf([&] { Auc(some, none); }), HasSubstr("positives: there are no values"));
  EXPECT_THAT(MessageOf([&] { Mean(bad); }), HasSubstr("value 1 is NaN"));
  EXPECT_THAT(MessageOf([&] { HarmonicMean(std::vector{0.2, -1.0}); }), HasSubstr("negative"));
  EXPECT_THAT(MessageOf([&] { StandardErrorOfProportion(1.5, 3); }), HasSubstr("no share"));
  EXPECT_THAT(MessageOf([&] { StandardErrorOfProportion(0.5, 0); }), HasSubstr("no trials"));
  EXPECT_THAT(MessageOf([&] { BootstrapMean(some, {.resamples = 0}); }), HasSubstr("0 resamples"));
}

}  // namespace
}  // namespace grin
