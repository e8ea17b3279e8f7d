// What the judge prefers.

#include "grin/tune/trade_off.h"

#include <gtest/gtest.h>

namespace grin {
namespace {

TEST(TradeOffScore, IsOneWhereAllIsGoneAndAllIsKept) {
  EXPECT_DOUBLE_EQ(TradeOffScore(0.05, 1.0), 1.0);
  EXPECT_DOUBLE_EQ(TradeOffScore(1.0, 1.0), 0.0);
  EXPECT_DOUBLE_EQ(TradeOffScore(0.05, 0.0), 0.0);
  EXPECT_DOUBLE_EQ(TradeOffScore(2.0, 0.0), 0.0);  // more is known of it than at the start
}

TEST(TradeOffScore, GainsNothingBelowATwentieth) {
  EXPECT_DOUBLE_EQ(TradeOffScore(0.0, 0.8), TradeOffScore(0.05, 0.8));
  EXPECT_GT(TradeOffScore(0.05, 0.8), TradeOffScore(0.1, 0.8));
}

TEST(TradeOffScore, WantsBoth) {
  EXPECT_GT(TradeOffScore(0.3, 0.7), TradeOffScore(0.05, 0.4));
  EXPECT_GT(TradeOffScore(0.3, 0.7), TradeOffScore(0.7, 1.0));
}

TEST(TradeOffScore, CountsWhatTheRetainSetGains) {
  EXPECT_GT(TradeOffScore(0.0, 1.1), TradeOffScore(0.0, 1.0));
}

}  // namespace
}  // namespace grin
