#include "grin/base/comma_list.h"

#include <gmock/gmock.h>

namespace grin {
namespace {

using ::testing::ElementsAre;

TEST(CommaParts, KeepEverythingBetweenCommas) {
  EXPECT_THAT(CommaParts("a"), ElementsAre("a"));
  EXPECT_THAT(CommaParts("a, b=c,d"), ElementsAre("a", " b=c", "d"));
  EXPECT_THAT(CommaParts(",a,,b,"), ElementsAre("", "a", "", "b", ""));
  EXPECT_THAT(CommaParts(""), ElementsAre(""));
}

}  // namespace
}  // namespace grin
