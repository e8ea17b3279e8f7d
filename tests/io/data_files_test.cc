// What a data argument names.

#include "grin/io/data_files.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "grin/io/table.h"
#include "tests/hub/hub_scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class DataFiles : public testing::Test {
 protected:
  const fs::path dir_ = Scratch("data_files");
  DataFiles() {
    for (const char* name : {"b.jsonl", "a.jsonl", "a,c.jsonl", "notes.md", "x.csv.gz"}) {
      Put(dir_ / name, std::string("{\"text\": \"") + name + "\"}\n");
    }
  }
  std::vector<std::string> Names(const std::string& source) const {
    std::vector<std::string> names;
    for (const fs::path& file : FindDataFiles(source)) names.push_back(file.filename());
    return names;
  }
  std::string Dir() const { return dir_.string() + "/"; }
};

TEST_F(DataFiles, FindsFilesPatternsAndFolders) {
  EXPECT_THAT(Names(Dir() + "b.jsonl"), ElementsAre("b.jsonl"));
  EXPECT_THAT(Names(Dir() + "b.jsonl," + Dir() + "a.jsonl"), ElementsAre("b.jsonl", "a.jsonl"));
  EXPECT_THAT(Names(Dir() + "a,c.jsonl"), ElementsAre("a,c.jsonl"));
  EXPECT_THAT(Names(Dir() + "?.jsonl"), ElementsAre("a.jsonl", "b.jsonl"));
  EXPECT_THAT(Names(Dir() + "b.jsonl," + Dir() + "?.jsonl"), ElementsAre("b.jsonl", "a.jsonl"));
  EXPECT_THAT(Names(dir_), ElementsAre("a,c.jsonl", "a.jsonl", "b.jsonl", "x.csv.gz"));
  const auto records = ReadTable(Dir() + "?.jsonl");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].fields["text"], "b.jsonl");
  EXPECT_THAT(records[1].Where(), HasSubstr("b.jsonl:1"));
}

TEST_F(DataFiles, NamesThePartThatIsMissing) {
  EXPECT_THAT(ErrorOf([&] { FindDataFiles(Dir() + "*.parquet"); }), HasSubstr("no file matches"));
  EXPECT_THAT(ErrorOf([&] { FindDataFiles(Dir() + "a.jsonl,"); }), HasSubstr("without a name"));
  EXPECT_THAT(ErrorOf([&] { ReadTable(Dir() + "a.jsonl," + Dir() + "z.jsonl"); }),
              AllOf(HasSubstr("z.jsonl"), HasSubstr("cannot be read")));
  fs::create_directory(dir_ / "none");
  EXPECT_THAT(ErrorOf([&] { FindDataFiles(dir_ / "none"); }), HasSubstr("has no data file"));
}

TEST(HubDataFiles, FindsFilesOfASnapshot) {
  const HubScratch hub("hub_data");
  hub.Add("datasets--org--set", "c0ffee", "main", {{"data/a.jsonl", "{}"}, {"data/b.jsonl", "{}"}});
  hub.Add("datasets--one", "c0ffee", "v1", {{"only.parquet", ""}, {"README.md", ""}});
  const auto names = [](const std::string& url) {
    std::vector<std::string> names;
    for (const fs::path& file : FindDataFiles(url)) names.push_back(file.filename());
    return names;
  };
  EXPECT_THAT(names("hub://datasets/org/set/data/b.jsonl"), ElementsAre("b.jsonl"));
  EXPECT_THAT(names("hf://datasets/org/set@main/data/*"), ElementsAre("a.jsonl", "b.jsonl"));
  EXPECT_THAT(names("hub://datasets/org/set@c0ffee/data/a.jsonl"), ElementsAre("a.jsonl"));
  EXPECT_THAT(names("hub://datasets/one@v1"), ElementsAre("only.parquet"));
  EXPECT_THAT(ErrorOf([&] { names("hub://datasets/org/set"); }),
              AllOf(HasSubstr("2 data files"), HasSubstr("data/a.jsonl, data/b.jsonl")));
  EXPECT_THAT(ErrorOf([&] { names("hub://datasets/org/set/data/c.jsonl"); }),
              HasSubstr("no such file"));
  EXPECT_THAT(ErrorOf([&] { names("hub://datasets/org/other/x.csv"); }),
              HasSubstr("`grin fetch --dataset org/other`"));
  EXPECT_THAT(ErrorOf([&] { names("hub://datasets/org/set@v9/x.csv"); }),
              AllOf(HasSubstr("no revision 'v9'"), HasSubstr("org/set@v9")));
  EXPECT_THAT(ErrorOf([&] { names("hub://datasets/org/set/../../../secret"); }),
              HasSubstr("can be no file"));
}

}  // namespace
}  // namespace grin
