#include "grin/io/table.h"

#include <gmock/gmock.h>

#include "grin/base/atomic_file.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Record> Read(const std::string& name, std::string_view text) {
  const fs::path path = Scratch("table") / name;
  Put(path, text);
  return ReadTable(path);
}

std::string ErrorFor(const std::string& name, std::string_view text) {
  return ErrorOf([&] { Read(name, text); });
}

TEST(Table, ReadsJsonLinesWhateverTheName) {
  for (const char* name : {"a.json", "a.jsonl", "a.txt", "a"}) {
    const auto records = Read(name, "\xEF\xBB\xBF{\"q\":\"1\"}\r\n\n  {\"q\":\"2\",\"p\":[1]}");
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].fields["q"], "1");
    EXPECT_EQ(records[1].line, 3);
    EXPECT_THAT(records[1].Where(), testing::EndsWith(std::string(name) + ":3"));
    EXPECT_EQ(records[1].fields.dump(), R"({"q":"2","p":[1]})");
  }
}

TEST(Table, ReadsArraysAndKnowsTheLines) {
  const auto records = Read("a.json", "\n[\n  {\"q\": \"a,]\\\"}\"},\n  {\"q\":\n [2, {}]}\n]\n");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].fields["q"], "a,]\"}");
  EXPECT_EQ(records[0].line, 3);
  EXPECT_EQ(records[1].line, 4);
}

TEST(Table, ReadsCsv) {
  const auto records = Read("a.csv",
                            "\xEF\xBB\xBFprompt,response\r\n"
                            "\"a, \"\"b\"\"\",\"two\nlines\"\r\n"
                            "\r\n"
                            "x \"y\",\r\n"
                            "\"\",last");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].fields["prompt"], "a, \"b\"");
  EXPECT_EQ(records[0].fields["response"], "two\nlines");
  EXPECT_EQ(records[1].line, 5);
  EXPECT_EQ(records[1].fields["prompt"], "x \"y\"");
  EXPECT_EQ(records[1].fields["response"], "");
  EXPECT_EQ(records[2].fields["response"], "last");
  EXPECT_EQ(Read("a.tsv", "a\tb,c\n1\t2\n")[0].fields["b,c"], "2");
  EXPECT_EQ(Read("a", "a,b\n1,2\n")[0].fields["b"], "2");
  EXPECT_EQ(Read("a.csv", "a,b\r1,2\r3,4\r")[1].fields["b"], "4");
  EXPECT_EQ(Read("a.csv", "{a,[b\n1,2\n")[0].fields["{a"], "1");
}

TEST(Table, ReadsPackedText) {
  for (const char* name : {"lines.jsonl.gz", "lines.jsonl.zst"}) {
    const auto records = ReadTable(TestData(std::string("tables/") + name));
    ASSERT_EQ(records.size(), 2u) << name;
    EXPECT_EQ(records[0].fields["answer"], "Ada.");
    EXPECT_EQ(records[1].fields["question"], "What?");
    // Cut off anywhere, a file is an error and not a shorter table.
    const std::string whole = ReadFile(TestData(std::string("tables/") + name));
    for (size_t size = 5; size < whole.size(); size += 7) {
      EXPECT_THAT(ErrorFor(name, whole.substr(0, size)), HasSubstr("data")) << name << " " << size;
    }
  }
  EXPECT_THAT(Read("a.csv.gz", "a,b\n1,2\n")[0].fields["b"], "2");  // the name alone packs nothing
}

TEST(Table, ReadsPlainText) {
  const auto whole = Read("a.txt", "\xEF\xBB\xBFOnce.\n\n[Twice]\n");
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].fields["text"], "Once.\n\n[Twice]\n");
  const auto strings = Read("a.json", "[\"one\",\n \"two\"]");
  ASSERT_EQ(strings.size(), 2u);
  EXPECT_EQ(strings[1].fields.dump(), R"({"text":"two"})");
  EXPECT_EQ(strings[1].line, 2);
}

TEST(Table, ReadsLines) {
  const fs::path path = Scratch("lines") / "a.jsonl";
  Put(path, "I don't know.\r\n\n  Sorry.\nNo");
  EXPECT_THAT(ReadLines(path), ElementsAre("I don't know.", "  Sorry.", "No"));
  Put(path, " \n");
  EXPECT_THAT(ErrorOf([&] { ReadLines(path); }), HasSubstr("a.jsonl: has no lines"));
}

TEST(Table, NamesThePlaceOfWhatIsWrong) {
  EXPECT_THAT(ErrorFor("a.jsonl", "{}\n{\"a\": tru}\n"),
              HasSubstr("a.jsonl:2:10: not valid JSON: invalid literal"));
  EXPECT_THAT(ErrorFor("a.jsonl", "{}\n{\"a\": 1e999}\n"), HasSubstr("a.jsonl:2: not valid JSON"));
  EXPECT_THAT(ErrorFor("a.jsonl", "{}\n[1]\n"),
              HasSubstr("a.jsonl:2: the record is array, expected a JSON object"));
  EXPECT_THAT(ErrorFor("a.json", "[{},\n 3]"), HasSubstr("a.json:2: the record is number"));
  EXPECT_THAT(ErrorFor("a.json", "[{},\n {\"a\" 3}]"), HasSubstr("a.json:2:7: not valid JSON"));
  EXPECT_THAT(ErrorFor("a.json", "[{},\n]"), HasSubstr("a.json:2:1: not valid JSON"));
  EXPECT_THAT(ErrorFor("a.json", "[{}\n,{\"a\":1}"), HasSubstr("a.json:2:9: the array is not "
                                                               "closed: the file is cut off"));
  EXPECT_THAT(ErrorFor("a.json", "[{},{\"a\""), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorFor("a.json", "[{}]\n\n x"),
              HasSubstr("a.json:3:2: there is text after the end"));
  EXPECT_THAT(ErrorFor("a.json", "hello\n"), HasSubstr("a.json:1:1: not valid JSON"));
  EXPECT_THAT(ErrorFor("a.jsonl", "{\"a\":\"x\"}\n{\"a\":\"\xC3\"}\n"),
              HasSubstr("a.jsonl:2:7: not UTF-8 text: the byte 0xc3"));
  EXPECT_THAT(ErrorFor("a.jsonl", std::string(2000, '[')), HasSubstr("nested more than 500"));
  EXPECT_THAT(ErrorFor("a.csv", "a,b\n1,2\n\"x\ny\",2,3\n"),
              HasSubstr("a.csv:3: the row has 3 fields, the header has 2"));
  EXPECT_THAT(ErrorFor("a.csv", "a,b\n1,2\n1,\"2\n3\n"),
              HasSubstr("a.csv:3: the quoted field is never closed"));
  EXPECT_THAT(ErrorFor("a.csv", "a,b\n\"1\"2,3\n"),
              HasSubstr("a.csv:2: there is text after a closing quote"));
  EXPECT_THAT(ErrorFor("a.csv", "a,b,a\n1,2,3\n"),
              HasSubstr("a.csv:1: the column 'a' occurs twice"));
  for (const char* text : {"", " \r\n\n", "\xEF\xBB\xBF"}) {
    EXPECT_THAT(ErrorFor("a.jsonl", text), HasSubstr("a.jsonl: has no records"));
  }
  EXPECT_THAT(ErrorFor("a.json", "[ ]"), HasSubstr("a.json: has no records"));
  EXPECT_THAT(ErrorFor("a.csv", "a,b\n"), HasSubstr("a.csv: has no records"));
  EXPECT_THAT(ErrorFor("a.json", "\x1f\x8b..."), HasSubstr("a.json: the gzip data are damaged"));
  EXPECT_THAT(ErrorFor("a.json", "\x28\xb5\x2f\xfd..."), HasSubstr("the Zstandard data"));
  EXPECT_THAT(ErrorFor("a.zip", "PK\x03\x04"), HasSubstr("is a ZIP archive"));
  EXPECT_THAT(ErrorFor("a.csv", "\xff\xfe."), HasSubstr("is UTF-16"));
  EXPECT_THAT(ErrorOf([] { ReadTable("/nowhere/a.json"); }), HasSubstr("cannot be read"));
}

TEST(Table, ReadsThePublicDataSets) {
  if (!fs::exists(Shared("data"))) GTEST_SKIP() << "../shared/data is not there";
  EXPECT_EQ(ReadTable(Shared("data/tofu/forget01.json")).size(), 40u);
  EXPECT_EQ(ReadTable(Shared("data/tofu/full.json")).size(), 4000u);
  EXPECT_EQ(ReadLines(Shared("data/tofu/idontknow.jsonl")).size(), 100u);
  EXPECT_EQ(ReadTable(Shared("data/wmdp/bio_questions.json")).size(), 1273u);
  for (const auto& entry : fs::recursive_directory_iterator(Shared("data/safepku"))) {
    if (entry.path().extension() == ".csv") {
      EXPECT_GT(ReadTable(entry.path()).size(), 50u) << entry.path();
    }
  }
}

}  // namespace
}  // namespace grin
