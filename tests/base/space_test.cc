#include "grin/base/space.h"

#include <gtest/gtest.h>

namespace grin {
namespace {

TEST(Space, TrimsBothEnds) {
  EXPECT_EQ(Trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trimmed("a"), "a");
  EXPECT_EQ(Trimmed(" \n"), "");
  EXPECT_EQ(Trimmed(""), "");
  EXPECT_EQ(Trimmed("\f a"), "\f a");
  EXPECT_EQ(Trimmed("\f a", " \f"), "a");
}

TEST(Space, BlankIsSpacesTabsAndLineEnds) {
  EXPECT_TRUE(IsBlank(""));
  EXPECT_TRUE(IsBlank(" \t\r\n"));
  EXPECT_FALSE(IsBlank(" x "));
  EXPECT_FALSE(IsBlank("\f"));
}

}  // namespace
}  // namespace grin
