#include "grin/model/cpu/screen_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace grin {
namespace {

// The extremes of both bytes too, where sums of pairs would leave 16 bits first.
TEST(ScreenKernels, TilesAgreeWithThePlainTwin) {
  at::manual_seed(1);
  for (const int64_t steps : {1, 2, 9, 72}) {
    for (const bool extreme : {false, true}) {
      const int64_t depth = steps * kScreenDepth;
      const at::Tensor weight =
          extreme
              ? at::full({depth * kScreenTokens}, -kWeightLevels, at::kChar)
              : at::randint(-kWeightLevels, kWeightLevels + 1, {depth * kScreenTokens}, at::kChar);
      const at::Tensor levels = extreme ? at::full({depth * kScreenRows}, 255, at::kByte)
                                        : at::randint(1, 256, {depth * kScreenRows}, at::kByte);
      const at::Tensor offset = at::randint(-9000, 9000, {kScreenTokens}, at::kInt);
      const at::Tensor parts = at::rand({5, kScreenTokens}) * 0.01 + 0.001;
      const auto part = [&](int64_t i) {
        return parts.const_data_ptr<float>() + i * kScreenTokens;
      };
      const ScreenTokens tokens{weight.const_data_ptr<int8_t>(),
                                offset.const_data_ptr<int32_t>(),
                                part(0),
                                part(1),
                                part(2),
                                part(3),
                                part(4),
                                64};
      std::array<ScreenRow, kScreenRows> rows;
      for (auto& row : rows) row = {0.01f, 0.02f, 1.5f};
      for (const int64_t count : {1, 5, 12}) {
        std::array<ScreenFound, kScreenRows> found, expected;
        ScreenTile(tokens, levels.const_data_ptr<uint8_t>(), steps, rows.data(), found.data(),
                   count);
        PlainScreenTile(tokens, levels.const_data_ptr<uint8_t>(), steps, rows.data(),
                        expected.data(), count);
        for (int64_t r = 0; r < kScreenRows; ++r) {
          // A fused multiply-add may move a bound by its last bit, which can only add a token whose
          // upper end lies there.
          EXPECT_NEAR(found[r].largest_lower, expected[r].largest_lower,
                      1e-6 * std::abs(expected[r].largest_lower));
          if (r >= count) {
            EXPECT_TRUE(found[r].candidates.empty());
            continue;
          }
          ASSERT_EQ(found[r].candidates.size(), expected[r].candidates.size());
          for (size_t i = 0; i < found[r].candidates.size(); ++i) {
            EXPECT_EQ(found[r].candidates[i].token, expected[r].candidates[i].token);
            EXPECT_NEAR(found[r].candidates[i].upper, expected[r].candidates[i].upper,
                        1e-6 * std::abs(expected[r].candidates[i].upper));
          }
        }
      }
    }
  }
}

TEST(ScreenKernels, DotsAndListsAgreeWithThePlainTwins) {
  at::manual_seed(2);
  for (const int64_t count : {1, 3, 8, 16, 31, 33, 64, 1001}) {
    const at::Tensor a = at::randn({count}), b = at::randn({count});
    const auto *x = a.const_data_ptr<float>(), *y = b.const_data_ptr<float>();
    const double magnitude = a.mul(b).abs().sum().item<double>();
    EXPECT_NEAR(DotInDouble(x, y, count), PlainDotInDouble(x, y, count),
                static_cast<double>(count) * 0x1p-53 * magnitude);
    std::vector<int32_t> found, expected;
    AppendAtLeast(x, count, 0.5f, found);
    PlainAppendAtLeast(x, count, 0.5f, expected);
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace grin
