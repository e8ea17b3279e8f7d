#include "grin/base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace grin {
namespace {

TEST(Nearest, FindsTheTypoAndNothingFarAway) {
  const std::vector<std::string> known = {"epsilon", "epochs", "objective"};
  EXPECT_EQ(Nearest("epslion", known), "epsilon");
  EXPECT_EQ(Nearest("objectives", known), "objective");
  EXPECT_EQ(Nearest("zzzzzz", known), "");
}

}  // namespace
}  // namespace grin
