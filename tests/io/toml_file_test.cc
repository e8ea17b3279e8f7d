#include "grin/io/toml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path TomlFileWith(std::string_view text) {
  const std::filesystem::path path =
      std::filesystem::path(GRIN_BINARY_DIR) / "toml_file_test" / "settings.toml";
  std::filesystem::create_directories(path.parent_path());
  WriteFile(path, text);
  return path;
}

std::string RefusalOf(std::string_view text) {
  try {
    ReadTomlFile(TomlFileWith(text));
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    return error.what();
  }
  return "";
}

std::string RefusalOfSetting(const Json& value, SettingKind kind) {
  try {
    SettingTexts(value, kind, "a.toml:2:1", "key");
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kUsage);
    return error.what();
  }
  return "";
}

TEST(TomlFile, EntriesStandInTheOrderOfTheFileWithTheirPlaces) {
  const auto entries = ReadTomlFile(TomlFileWith(
      "zoo = \"x\"  # a comment\nlist = [1, 2.5, \"three\", [true]]\n[beta]\nz.y = 1\na = '''\n"
      "two\nlines'''\n[[rows]]\nn = 0x10\n[alpha]\n"));
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(entries[0].key, "zoo");
  EXPECT_EQ(entries[0].value, "x");
  EXPECT_THAT(entries[0].place, testing::EndsWith("settings.toml:1:1"));
  EXPECT_EQ(entries[1].value, Json::parse("[1, 2.5, \"three\", [true]]"));
  EXPECT_TRUE(entries[1].value[0].is_number_integer());
  EXPECT_TRUE(entries[2].is_table);
  EXPECT_EQ(entries[2].key, "beta");
  ASSERT_EQ(entries[2].entries.size(), 2u);
  EXPECT_EQ(entries[2].entries[0].key, "z");
  EXPECT_EQ(entries[2].entries[0].entries[0].value, 1);
  EXPECT_EQ(entries[2].entries[1].value, "two\nlines");
  EXPECT_THAT(entries[2].entries[1].place, testing::EndsWith(":5:1"));
  EXPECT_EQ(entries[3].value, Json::parse("[{\"n\": 16}]"));
  EXPECT_TRUE(entries[4].is_table);
  EXPECT_TRUE(entries[4].entries.empty());
}

TEST(TomlFile, ErrorsNameLineAndColumn) {
  EXPECT_THAT(RefusalOf("a = 1\nb = \n"), HasSubstr("settings.toml:2:5: is not TOML: "));
  EXPECT_THAT(RefusalOf("a = 1\nb 2\n"), HasSubstr("settings.toml:2:3: is not TOML: "));
  EXPECT_THAT(RefusalOf("a = \"open\nb = 1\n"), HasSubstr("settings.toml:1:10: is not TOML: "));
  EXPECT_THAT(RefusalOf("[a]\nx = 1\n[b]\n[a]\n"), HasSubstr("settings.toml:4:"));
  EXPECT_THAT(RefusalOf("a = 1\na = 2\n"), HasSubstr("settings.toml:2:"));
  EXPECT_THAT(RefusalOf("a = \"\xff\"\n"), HasSubstr("settings.toml:1:5: is not TOML: "));
  EXPECT_THAT(RefusalOf("a = 1\nwhen = 2020-01-01\n"),
              HasSubstr("settings.toml:2:8: a date or a time stands here"));
  EXPECT_THAT(RefusalOf("a = 99999999999999999999\n"), HasSubstr("settings.toml:1:"));
  EXPECT_THROW(ReadTomlFile("no/such/file.toml"), Error);
}

TEST(TomlFile, SettingsAreCheckedForTheirKind) {
  EXPECT_THAT(SettingTexts(true, SettingKind::kFlag, "p", "k"), ElementsAre("true"));
  EXPECT_THAT(SettingTexts(-3, SettingKind::kInteger, "p", "k"), ElementsAre("-3"));
  EXPECT_THAT(SettingTexts(3, SettingKind::kNumber, "p", "k"), ElementsAre("3"));
  EXPECT_THAT(SettingTexts(1e-3, SettingKind::kNumber, "p", "k"), ElementsAre("0.001"));
  EXPECT_THAT(SettingTexts(0.5, SettingKind::kText, "p", "k"), ElementsAre("0.5"));
  EXPECT_THAT(SettingTexts("50%", SettingKind::kText, "p", "k"), ElementsAre("50%"));
  EXPECT_THAT(SettingTexts("a", SettingKind::kTexts, "p", "k"), ElementsAre("a"));
  EXPECT_THAT(SettingTexts(Json::parse("[\"a\", 2]"), SettingKind::kTexts, "p", "k"),
              ElementsAre("a", "2"));

  EXPECT_EQ(RefusalOfSetting("yes", SettingKind::kFlag),
            "[config] a.toml:2:1: key is the text \"yes\", expected true or false");
  EXPECT_THAT(RefusalOfSetting(1, SettingKind::kFlag), HasSubstr("the integer 1, expected true"));
  EXPECT_THAT(RefusalOfSetting(2.5, SettingKind::kInteger),
              HasSubstr("the number 2.5, expected an integer"));
  EXPECT_THAT(RefusalOfSetting("2", SettingKind::kInteger),
              HasSubstr("the text \"2\", expected an integer without quotes"));
  EXPECT_THAT(RefusalOfSetting("many", SettingKind::kNumber),
              HasSubstr("the text \"many\", expected a number without quotes"));
  EXPECT_THAT(RefusalOfSetting(true, SettingKind::kText),
              HasSubstr("the truth value true, expected one text"));
  EXPECT_THAT(RefusalOfSetting(Json::array({"a"}), SettingKind::kText),
              HasSubstr("the list [\"a\"], expected one text"));
  EXPECT_THAT(RefusalOfSetting(Json::parse("[[\"a\"]]"), SettingKind::kTexts),
              HasSubstr("expected a list of texts"));
  EXPECT_THAT(RefusalOfSetting(Json::array(), SettingKind::kTexts),
              HasSubstr("expected a list of one text or more"));
  EXPECT_THAT(RefusalOfSetting(Json::parse("{\"a\": 1}"), SettingKind::kNumber),
              HasSubstr("the table {\"a\":1}, expected a number"));
}

TEST(TomlFile, UnknownSettingsNameTheNearest) {
  const std::vector<std::string> known = {"data", "metrics"};
  const auto message = [&](std::string_view key) {
    try {
      UnknownSetting("s.toml:1:1", key, known, "; known are data and metrics");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message("mertics"),
            "[config] s.toml:1:1: unknown setting 'mertics'; did you mean "
            "'metrics'?");
  EXPECT_THAT(message("quite-another"), HasSubstr("'quite-another'; known are data and metrics"));
}

}  // namespace
}  // namespace grin
