// JSON as values with the order of their keys, whatever their number.

#include "grin/base/ordered_tree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace grin {
namespace {

TEST(OrderedTree, EqualsTheParserOfTheLibrary) {
  for (const char* text :
       {"null", "true", "-1", "18446744073709551615", "9223372036854775807", "1e400", "0.1",
        "\"a\\u00e9\\n\"", "[]", "{}", "[[], {}, [1, [2]], {\"a\": {\"b\": [null]}}]",
        "{\"b\": 1, \"a\": {\"d\": [1, {\"x\": 2}], \"c\": 3}, \"e\": []}", " [1 ,2 ] "}) {
    Json theirs;
    bool refused = false;
    try {
      theirs = Json::parse(text);
    } catch (const Json::exception&) {
      refused = true;
    }
    if (refused) {
      EXPECT_THROW(ParseOrderedTree(text), Json::exception) << text;
    } else {
      EXPECT_EQ(ParseOrderedTree(text).dump(), theirs.dump()) << text;
    }
  }
  for (const char* text : {"", "{", "[1,", "{\"a\" 1}", "[1] 2", "{\"a\":}", "nul", "\"\xff\""}) {
    EXPECT_THROW(ParseOrderedTree(text), Json::parse_error) << text;
  }
}

TEST(OrderedTree, KeepsTheLastValueOfAKeyAtItsFirstPlace) {
  EXPECT_EQ(ParseOrderedTree(R"({"a": 1, "b": 2, "a": 3, "c": 4, "a": 5})").dump(),
            R"({"a":5,"b":2,"c":4})");
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += fmt::format("\"{}\": {}, ", i % 600, i);
  const Json value = ParseOrderedTree(many + "\"end\": 0}");
  ASSERT_EQ(value.size(), 601u);
  EXPECT_EQ(value.begin().key(), "0");
  EXPECT_EQ(value["0"], 600);
  EXPECT_EQ(value["399"], 999);
  EXPECT_EQ(value["400"], 400);
}

// 200,000 members, as RealToxicityPrompts has records: a search among the earlier ones for each
// would compare 2e10 strings, and this test would not end.
TEST(OrderedTree, TakesAsManyMembersAsThereAre) {
  std::string text = "{";
  Json built = Json::object();
  for (int i = 0; i < 200'000; ++i) {
    text += fmt::format("\"{}\":{},", i, i);
    AppendMember(built, std::to_string(i), i);
  }
  const Json value = ParseOrderedTree(text + "\"end\":0}");
  EXPECT_EQ(value.size(), 200'001u);
  EXPECT_EQ(built.size(), 200'000u);
  EXPECT_EQ(std::next(value.begin(), 777).key(), "777");
  EXPECT_EQ(std::next(built.begin(), 777).key(), "777");
}

}  // namespace
}  // namespace grin
