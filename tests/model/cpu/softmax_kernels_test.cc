#include "grin/model/cpu/softmax_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace grin {
namespace {

const std::vector<int64_t> kCounts = {1, 2, 7, 8, 9, 15, 16, 31, 129, 1000, 5003};

TEST(SoftmaxKernels, SumsAgreeWithThePlainTwin) {
  at::manual_seed(1);
  for (const int64_t count : kCounts) {
    for (const double spread : {0.1, 3.0, 40.0}) {
      at::Tensor logits = at::randn({count}) * spread;
      if (count > 8) logits[3] = -std::numeric_limits<float>::infinity();
      const auto* numbers = logits.const_data_ptr<float>();
      std::vector<float> weights(count);
      const RowSums expected = PlainSumRow(numbers, count, true);
      for (float* room : {static_cast<float*>(nullptr), weights.data()}) {
        const RowSums found = SumRow(numbers, count, room);
        EXPECT_EQ(found.largest, expected.largest);
        // Exponentials are within a unit of the last place (2^-23), a distance of up to 128 is
        // rounded by up to 2^-18 before, and 16 are added in fp32.
        const double tolerance = 0x1p-19 + 16 * 0x1p-24;
        EXPECT_NEAR(found.total / expected.total, 1, tolerance) << count << " " << spread;
        if (!room) continue;
        EXPECT_NEAR(found.mean, expected.mean, 200 * tolerance);
        EXPECT_NEAR(found.squares / expected.total, expected.squares / expected.total,
                    4e4 * tolerance);
      }
    }
  }
}

TEST(SoftmaxKernels, NanStaysAndTheRuledOutWeighNothing) {
  for (const int64_t count : kCounts) {
    std::vector<float> logits(count, -std::numeric_limits<float>::infinity()), weights(count);
    EXPECT_EQ(SumRow(logits.data(), count, nullptr).total, 0);
    logits[count / 2] = 2;
    EXPECT_EQ(SumRow(logits.data(), count, weights.data()).total, 1);
    EXPECT_EQ(SumRow(logits.data(), count, weights.data()).squares, 0);
    logits[count - 1] = std::nanf("");
    EXPECT_TRUE(std::isnan(SumRow(logits.data(), count, nullptr).total));
    EXPECT_TRUE(std::isnan(SumRow(logits.data(), count, nullptr).largest));
  }
}

TEST(SoftmaxKernels, TheFirstLargestIsThePlainTwins) {
  at::manual_seed(2);
  for (const int64_t count : kCounts) {
    for (int trial = 0; trial < 20; ++trial) {
      at::Tensor numbers = at::randint(-9, 9, {count}).to(at::kFloat);
      if (trial % 4 == 3) numbers[trial % count] = std::nanf("");
      if (trial == 5) numbers.fill_(-std::numeric_limits<float>::infinity());
      const auto* from = numbers.const_data_ptr<float>();
      EXPECT_EQ(FirstLargest(from, count), PlainFirstLargest(from, count)) << count;
    }
  }
}

TEST(SoftmaxKernels, SerialNormalisersAgreeWithThePlainTwin) {
  at::manual_seed(3);
  for (const int64_t rows : {1, 7, 8, 19}) {
    for (const int64_t count : {1, 100, 513, 4000}) {
      const at::Tensor logits = at::randn({rows, count}) * 3;
      std::vector<float> found(rows), expected(rows);
      SerialNormalisers(logits.const_data_ptr<float>(), rows, count, found.data());
      PlainSerialNormalisers(logits.const_data_ptr<float>(), rows, count, expected.data());
      for (int64_t row = 0; row < rows; ++row) EXPECT_NEAR(found[row], expected[row], 4e-6);
    }
  }
}

TEST(SoftmaxKernels, ScoresAgreeWithThePlainTwin) {
  at::manual_seed(4);
  for (const int64_t count : kCounts) {
    for (const float cap : {0.0f, 3.0f}) {
      const at::Tensor scores = at::randn({count}) * 10;
      at::Tensor found = scores.clone(), expected = scores.clone();
      SoftmaxScores(found.mutable_data_ptr<float>(), count, 0.3f, cap);
      PlainSoftmaxScores(expected.mutable_data_ptr<float>(), count, 0.3f, cap);
      // Scores of at most 16 are rounded by 2^-20 before their exponentials are taken; tanh is
      // within four units of the last place of a cap of 3.
      EXPECT_TRUE(at::allclose(found, expected, 4e-6, 1e-12)) << count << " " << cap;
    }
  }
}

}  // namespace
}  // namespace grin
