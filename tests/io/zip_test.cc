// ZIP archives as Python's zipfile writes them, and damaged ones.

#include "grin/io/zip.h"

#include <gmock/gmock.h>

#include <random>

#include "grin/base/atomic_file.h"
#include "grin/io/csv.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Zip, ReadsStoredAndDeflatedEntries) {
  const ZipFile zip(TestData("tables/archive.zip"));
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip.entries()) names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("data/a.csv", "stored.txt", "empty", "big"));
  EXPECT_EQ(zip.Read(*zip.Find("stored.txt")), "as it is");
  EXPECT_EQ(zip.Read(*zip.Find("empty")), "");
  EXPECT_EQ(zip.Read(*zip.Find("big")).size(), 500000u);
  EXPECT_EQ(zip.Find("a.csv"), nullptr);

  const auto rows = ReadCsvRows(zip.Read(*zip.Find("data/a.csv")), "a.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0].fields, ElementsAre("Who, now?", "Ada", "Bo", "Cy", "Di", "A"));
  EXPECT_THAT(rows[1].fields, ElementsAre("What?", "two\nlines", "b", "c", "d", "C"));
  EXPECT_EQ(rows[1].line, 2);
}

TEST(Zip, NamesWhatIsDamaged) {
  const std::string whole = ReadFile(TestData("tables/archive.zip"));
  const fs::path path = Scratch("zip") / "a.zip";
  const auto error = [&](const std::string& bytes, const char* name) {
    Put(path, bytes);
    return ErrorOf([&] {
      const ZipFile zip(path);
      zip.Read(*zip.Find(name));
    });
  };
  EXPECT_EQ(error(whole, "big"), "no error");
  EXPECT_THAT(error("", "big"), HasSubstr("is no ZIP archive"));
  EXPECT_THAT(error(whole.substr(0, whole.size() / 2), "big"), HasSubstr("is no ZIP archive"));
  std::string bytes = whole;
  bytes[bytes.find("as it is")] = 'A';
  EXPECT_THAT(error(bytes, "stored.txt"),
              testing::AllOf(HasSubstr("a.zip: 'stored.txt'"), HasSubstr("CRC-32")));
  // A size in the directory that the data do not have.
  bytes = whole;
  const size_t entry = bytes.rfind("PK\x01\x02");
  bytes[entry + 24 + 3] = '\x7f';
  EXPECT_THAT(error(bytes, "big"), HasSubstr("cannot unpack to"));
  bytes = whole;
  --bytes[entry + 24];
  EXPECT_THAT(error(bytes, "big"), HasSubstr("do not unpack to"));
}

TEST(Zip, AnyDamageIsAnErrorOrHarmless) {
  const std::string whole = ReadFile(TestData("tables/archive.zip"));
  const fs::path path = Scratch("zip_damage") / "a.zip";
  std::mt19937 random(7);
  int errors = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    Put(path, bytes);
    errors += ErrorOf([&] {
                const ZipFile zip(path);
                for (const ZipEntry& entry : zip.entries()) zip.Read(entry);
              }) != "no error";
  }
  EXPECT_GT(errors, 1000);
}

TEST(Zip, ReadsMmlu) {
  if (!fs::exists(Shared("data/mmlu"))) GTEST_SKIP() << "../shared/data/mmlu is not there";
  const ZipFile zip(Shared("data/mmlu/mmlu.zip"));
  size_t questions = 0;
  for (const ZipEntry& entry : zip.entries()) {
    if (!entry.name.starts_with("data/test/")) continue;
    for (const CsvRow& row : ReadCsvRows(zip.Read(entry), entry.name)) {
      EXPECT_EQ(row.fields.size(), 6u) << entry.name << ":" << row.line;
      ++questions;
    }
  }
  EXPECT_EQ(questions, 14042u);
}

}  // namespace
}  // namespace grin
