// Parquet and Arrow files as pyarrow writes them, value by value, and damaged ones.

#include "grin/io/arrow_table.h"

#include <gmock/gmock.h>

#include <random>

#include "grin/base/atomic_file.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

fs::path Table(const std::string& name) { return TestData("tables/" + name); }

TEST(ArrowTable, ReadsEveryTypeAsPythonDoes) {
  const auto expected = ReadTable(Table("types.json"));
  ASSERT_EQ(expected.size(), 3u);
  for (const char* name : {"types.parquet", "stream.arrow", "file.arrow"}) {
    const auto records = ReadTable(Table(name));
    ASSERT_EQ(records.size(), 3u) << name;
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].fields, expected[i].fields) << name << ":" << i + 1;
      EXPECT_EQ(records[i].line, static_cast<int64_t>(i) + 1);
    }
    EXPECT_THAT(records[2].Where(), testing::EndsWith(std::string(name) + ":3"));
  }
}

TEST(ArrowTable, ReadsEveryCodec) {
  for (const char* name : {"snappy", "gzip", "zstd", "brotli", "lz4"}) {
    const auto records = ReadTable(Table(std::string(name) + ".parquet"));
    ASSERT_EQ(records.size(), 3u) << name;
    EXPECT_EQ(records[2].fields.dump(), R"({"question":null,"answer":"Nö."})") << name;
  }
}

TEST(ArrowTable, NamesTheFileOfWhatIsWrong) {
  EXPECT_THAT(ErrorOf([] { ReadTable(Table("empty.parquet")); }),
              HasSubstr("empty.parquet: has no records"));
  const fs::path path = Scratch("arrow") / "a.parquet";
  const std::string whole = ReadFile(Table("types.parquet"));
  Put(path, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(ErrorOf([&] { ReadTable(path); }), HasSubstr("a.parquet: cannot be read"));
  Put(path, "PAR1");
  EXPECT_THAT(ErrorOf([&] { ReadTable(path); }), HasSubstr("a.parquet: cannot be read"));
  const std::string stream = ReadFile(Table("stream.arrow"));
  Put(path, stream.substr(0, 1000));
  EXPECT_THAT(ErrorOf([&] { ReadTable(path); }), HasSubstr("a.parquet: cannot be read"));
}

TEST(ArrowTable, AnyDamageIsAnErrorOrHarmless) {
  const fs::path path = Scratch("arrow_damage") / "a.parquet";
  std::mt19937 random(11);
  int errors = 0;
  for (const char* name : {"types.parquet", "stream.arrow", "file.arrow"}) {
    const std::string whole = ReadFile(Table(name));
    for (int round = 0; round < 300; ++round) {
      std::string bytes = whole;
      for (int i = 0; i < 4; ++i)
        bytes[8 + random() % (bytes.size() - 8)] = static_cast<char>(random());
      Put(path, bytes);
      errors += ErrorOf([&] { ReadTable(path); }) != "no error";
    }
  }
  EXPECT_GT(errors, 200);
}

}  // namespace
}  // namespace grin
