#include "grin/locate/top_k.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "grin/base/error.h"
#include "grin/locate/running_top_k.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

ScoreTensor MakeScores(std::string name, const std::vector<float>& values) {
  return {std::move(name), OnTestDevice(at::tensor(values, at::kFloat))};
}

// Sizes around the edges of bytes and of the pieces that threads share, names out of order.
template <typename Draw>
std::vector<ScoreTensor> RandomScores(uint32_t seed, const Draw& draw) {
  std::mt19937 generator(seed);
  std::vector<ScoreTensor> scores;
  for (const auto& [name, size] : {std::pair{"c.weight", 70001},
                                   {"a.weight", 7},
                                   {"d.weight", 0},
                                   {"b.weight", 32768},
                                   {"a.10.weight", 65537}}) {
    std::vector<float> values(size);
    for (float& value : values) value = draw(generator);
    scores.push_back(MakeScores(name, values));
  }
  return scores;
}

// Few distinct values, among them both zeros, denormals and infinities.
float DrawTied(std::mt19937& generator) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  constexpr float kValues[] = {0, -0.0f, kTiny, -kTiny, 1, -1, 1.0000001f, kInfinity, -kInfinity};
  return kValues[generator() % std::size(kValues)];
}

// Any bit pattern but NaN.
float DrawBits(std::mt19937& generator) {
  const auto value = std::bit_cast<float>(static_cast<uint32_t>(generator()));
  return std::isnan(value) ? 0 : value;
}

float DrawUniform(std::mt19937& generator) {
  return std::uniform_real_distribution<float>(0, 1)(generator);
}

struct Entry {
  float value;
  std::string_view name;
  int64_t position;
};

std::vector<Entry> Entries(const std::vector<ScoreTensor>& scores) {
  std::vector<Entry> entries;
  for (const ScoreTensor& tensor : scores) {
    const at::Tensor host = tensor.values.cpu();
    const float* values = host.const_data_ptr<float>();
    for (int64_t i = 0; i < tensor.values.numel(); ++i) {
      entries.push_back({values[i], tensor.name, i});
    }
  }
  return entries;
}

// The definition: sorted by falling score, then name, then position, the first k are selected.
std::vector<Entry> Sorted(const std::vector<ScoreTensor>& scores) {
  std::vector<Entry> entries = Entries(scores);
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    if (a.value != b.value) return a.value > b.value;
    return std::tie(a.name, a.position) < std::tie(b.name, b.position);
  });
  return entries;
}

TEST(SelectTopK, EqualsSortingForAnyScoresAndCounts) {
  for (const auto& draw : {DrawTied, DrawBits, DrawUniform}) {
    const std::vector<ScoreTensor> scores = RandomScores(1, draw);
    const std::vector<Entry> sorted = Sorted(scores);
    const auto total = static_cast<int64_t>(sorted.size());
    for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{12345}, total / 2, total - 1, total}) {
      const Mask mask = SelectTopK(scores, k);
      EXPECT_EQ(mask.count(), k);
      EXPECT_EQ(mask.total(), total);
      int64_t wrong = 0;
      for (int64_t i = 0; i < total; ++i) {
        wrong += mask.Find(sorted[i].name)->Has(sorted[i].position) != (i < k);
      }
      EXPECT_EQ(wrong, 0) << "k = " << k;
    }
  }
}

TEST(SelectTopK, GivesTiesToTheLowerNameAndPosition) {
  const std::vector<ScoreTensor> scores = {MakeScores("b", {2, 1, 1}), MakeScores("a", {0, 1, 1})};
  const Mask mask = SelectTopK(scores, 4);
  EXPECT_EQ(mask.Find("a")->bits, std::vector<uint8_t>{0b110});
  EXPECT_EQ(mask.Find("b")->bits, std::vector<uint8_t>{0b011});
}

TEST(SelectTopK, TreatsBothZerosAsEqual) {
  const Mask mask = SelectTopK({MakeScores("a", {-0.0f, 0.0f, -1, -0.0f})}, 2);
  EXPECT_EQ(mask.Find("a")->bits, std::vector<uint8_t>{0b0011});
}

TEST(SelectTopK, DependsNeitherOnThreadsNorOnTheOrderOfTensors) {
  std::vector<ScoreTensor> scores = RandomScores(2, DrawTied);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Mask alone = SelectTopK(scores, 50000);
  at::set_num_threads(7);
  std::ranges::reverse(scores);
  const Mask together = SelectTopK(scores, 50000);
  at::set_num_threads(threads);
  ASSERT_EQ(alone.tensors().size(), together.tensors().size());
  for (size_t i = 0; i < alone.tensors().size(); ++i) {
    EXPECT_EQ(alone.tensors()[i].name, together.tensors()[i].name);
    EXPECT_EQ(alone.tensors()[i].bits, together.tensors()[i].bits);
  }
}

TEST(SelectTopK, KeepsShapes) {
  const Mask mask = SelectTopK({{"a", OnTestDevice(at::arange(24, at::kFloat)).view({2, 3, 4})}}, 5);
  EXPECT_EQ(mask.Find("a")->shape, (std::vector<int64_t>{2, 3, 4}));
}

TEST(SelectTopK, RefusesNaNByName) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      [&] {
        SelectTopK({MakeScores("a", {1}), MakeScores("bad", {1, nan})}, 1);
      },
      ThrowsMessage<Error>(HasSubstr("'bad': 1 of 2 values are NaN")));
  EXPECT_THAT([&] { SelectTopK({MakeScores("bad", {-nan})}, 0); },
              ThrowsMessage<Error>(HasSubstr("'bad'")));
}

TEST(Percentile, IsTheLowerValueOfTheSortedList) {
  for (const auto& draw : {DrawTied, DrawBits, DrawUniform}) {
    const std::vector<ScoreTensor> scores = RandomScores(3, draw);
    for (const bool absolute : {true, false}) {
      std::vector<float> sorted;
      for (const Entry& entry : Entries(scores)) {
        sorted.push_back(absolute ? std::fabs(entry.value) : entry.value);
      }
      std::ranges::sort(sorted);
      for (const double p : {0.0, 0.1, 33.3, 50.0, 99.9, 100.0}) {
        const auto rank = static_cast<size_t>(p / 100 * static_cast<double>(sorted.size() - 1));
        EXPECT_EQ(Percentile(scores, p, absolute), sorted[rank]) << p;
      }
    }
  }
}

TEST(Percentile, OfAnEvenCountIsAValueOfTheList) {
  EXPECT_EQ(Percentile({MakeScores("a", {4, -1, 3, -2})}, 50), 2);
  EXPECT_EQ(Percentile({MakeScores("a", {4, -1, 3, -2})}, 50, /*absolute=*/false), -1);
}

TEST(Percentile, RefusesWhatHasNone) {
  EXPECT_THAT([] { Percentile({}, 50); }, ThrowsMessage<Error>(HasSubstr("no weights")));
  EXPECT_THAT([] { Percentile({MakeScores("a", {1})}, 101); },
              ThrowsMessage<Error>(HasSubstr("expected 0 to 100")));
}

TEST(Percentile, IsTheSameWhereFirstDigitsWereCountedBefore) {
  for (const auto& draw : {DrawTied, DrawBits, DrawUniform}) {
    const std::vector<ScoreTensor> scores = RandomScores(4, draw);
    FirstDigits digits(/*absolute=*/true);
    std::vector<ScoreTensor> host;
    for (const ScoreTensor& tensor : scores) {
      digits.Add(tensor.name, tensor.values);
      host.push_back({tensor.name, tensor.values.cpu()});
    }
    for (const double p : {0.0, 0.1, 33.3, 50.0, 99.9, 100.0}) {
      const PercentileFound found = Percentile(host, p, digits);
      EXPECT_EQ(found.value, Percentile(scores, p)) << p;
      const auto entries = Entries(scores);
      EXPECT_EQ(found.below, std::ranges::count_if(entries, [&](const Entry& entry) {
                  return std::fabs(entry.value) < found.value;
                }));
    }
  }
}

// Weight after weight, in an order that is not that of their names.
TEST(RunningTopK, SelectsWhatSelectTopKDoes) {
  for (const auto& draw : {DrawTied, DrawBits, DrawUniform}) {
    const std::vector<ScoreTensor> scores = RandomScores(5, draw);
    int64_t total = 0;
    for (const ScoreTensor& tensor : scores) total += tensor.values.numel();
    for (const int64_t k : {int64_t{1}, int64_t{1234}, total / 2, total - 1, total}) {
      RunningTopK running = RunningTopK::Highest(k);
      for (const ScoreTensor& tensor : scores) running.Add(tensor.name, tensor.values);
      const Mask expected = SelectTopK(scores, k), mask = running.Finish();
      EXPECT_EQ(mask.count(), k);
      ASSERT_EQ(mask.tensors().size(), expected.tensors().size());
      for (size_t i = 0; i < mask.tensors().size(); ++i) {
        EXPECT_EQ(mask.tensors()[i].name, expected.tensors()[i].name);
        EXPECT_EQ(mask.tensors()[i].shape, expected.tensors()[i].shape);
        EXPECT_EQ(mask.tensors()[i].bits, expected.tensors()[i].bits) << k;
      }
    }
  }
}

TEST(RunningTopK, KeepsFewOfMany) {
  RunningTopK running = RunningTopK::Highest(1000);
  std::mt19937 generator(6);
  for (int weight = 0; weight < 20; ++weight) {
    std::vector<float> values(10000);
    for (float& value : values) value = DrawUniform(generator);
    running.Add(std::to_string(weight), MakeScores("", values).values);
  }
  // 1000 (1 + ln 200), and a bound that is a digit too low: of these, numbers from .875 to 1.
  EXPECT_LT(running.kept(), 60000);
  EXPECT_EQ(running.Finish().count(), 1000);
}

TEST(RunningTopK, SelectsWhatIsAboveAThreshold) {
  RunningTopK running = RunningTopK::Above(1);
  running.Add("b", MakeScores("b", {1, 2, 0.5f, 1.0000001f}).values);
  running.Add("a", MakeScores("a", {3}).values);
  EXPECT_EQ(running.kept(), 3);
  const Mask mask = running.Finish();
  EXPECT_EQ(mask.Find("b")->bits, std::vector<uint8_t>{0b1010});
  EXPECT_EQ(mask.Find("a")->bits, std::vector<uint8_t>{1});
}

TEST(RunningTopK, RefusesNaNByName) {
  RunningTopK running = RunningTopK::Highest(1);
  running.Add("good", MakeScores("", {1}).values);
  running.Add("bad", MakeScores("", {1, std::numeric_limits<float>::quiet_NaN()}).values);
  EXPECT_THAT([&] { running.Finish(); },
              ThrowsMessage<Error>(HasSubstr("'bad': 1 of 2 values are NaN")));
}

TEST(RoundedCount, RoundsHalfUp) {
  EXPECT_EQ(RoundedCount(0.25, 2), 1);
  EXPECT_EQ(RoundedCount(0.05, 50), 3);
  EXPECT_EQ(RoundedCount(0.05, 49), 2);
  EXPECT_EQ(RoundedCount(0, 49), 0);
  EXPECT_EQ(RoundedCount(1, 106168320), 106168320);
  EXPECT_THAT([] { RoundedCount(1.5, 10); }, ThrowsMessage<Error>(HasSubstr("expected 0 to 1")));
}

}  // namespace
}  // namespace grin
