#include "grin/base/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace grin {
namespace {

TEST(Half, EveryFloat16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = FromFloat16(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(FromFloat16(ToFloat16(value))));
    } else {
      ASSERT_EQ(ToFloat16(value), half) << value;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(ToFloat16(1.0f + 0x1.0p-11f), ToFloat16(1.0f));
  EXPECT_EQ(ToFloat16(1.0f + 0x1.8p-11f), ToFloat16(1.0f) + 1);
  EXPECT_EQ(ToFloat16(65520.0f), 0x7c00);  // infinity
  EXPECT_EQ(ToFloat16(65519.0f), 0x7bff);
  EXPECT_EQ(ToFloat16(0x1.0p-25f), 0);
  EXPECT_EQ(ToFloat16(0x1.8p-25f), 1);
  EXPECT_EQ(FromBFloat16(ToBFloat16(1.0f + 0x1.0p-8f)), 1.0f);
  EXPECT_EQ(FromBFloat16(ToBFloat16(1.0f + 0x1.8p-8f)), 1.0f + 0x1.0p-7f);
  EXPECT_TRUE(std::isnan(FromBFloat16(ToBFloat16(NAN))));
}

}  // namespace
}  // namespace grin
