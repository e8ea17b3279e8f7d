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
