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

// tests/data/io/make_saved.py.
TEST(SavedDataSets, AreReadInTheirOwnOrderWithoutTheirDescriptions) {
  const auto records = ReadTable(TestData("saved"));
  ASSERT_EQ(records.size(), 12u);
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].fields["question"], fmt::format("What is {}?", i));
    EXPECT_EQ(records[i].fields["kind"], i % 2);
    EXPECT_EQ(records[i].fields["turns"][0]["content"], std::to_string(i));
  }
  EXPECT_EQ(ReadTable(TestData("saved_splits/train")).size(), 2u);
  EXPECT_THAT(
      ErrorOf([] { ReadTable(TestData("saved_splits")); }),
      AllOf(HasSubstr("has saved the splits train, test"), HasSubstr("saved_splits/train")));
}

TEST(SavedDataSets, FollowWhatTheirDescriptionSays) {
  const fs::path dir = Scratch("saved");
  const auto put = [&](const char* name, const char* text) { Put(dir / name, text); };
  put("b.jsonl", "{\"text\": \"b\"}");
  put("a.jsonl", "{\"text\": \"a\"}");
  put("state.json", R"({"_data_files": [{"filename": "b.jsonl"}, {"filename": "a.jsonl"}]})");
  EXPECT_EQ(ReadTable(dir)[0].fields["text"], "b");
  put("state.json", R"({"_data_files": [{"filename": "c.jsonl"}]})");
  EXPECT_THAT(ErrorOf([&] { ReadTable(dir); }), HasSubstr("c.jsonl: is named in state.json"));
  put("state.json", R"({"_data_files": [{"filename": "a.jsonl"}],
                        "_indices_data_files": [{"filename": "indices.arrow"}]})");
  EXPECT_THAT(ErrorOf([&] { ReadTable(dir); }), HasSubstr("flatten_indices()"));
  // Beside other data the descriptions are none.
  put("state.json", "{}");
  put("dataset_info.json", "{\"description\": \"\"}");
  put("dataset_infos.json", "{\"default\": {}}");
  EXPECT_EQ(ReadTable(dir).size(), 2u);
  // One split alone needs no name.
  const fs::path one = Scratch("saved_one");
  fs::create_directory(one / "train");
  Put(one / "dataset_dict.json", R"({"splits": ["train"]})");
  Put(one / "train/x.jsonl", "{\"text\": \"x\"}");
  Put(one / "train/state.json", R"({"_data_files": [{"filename": "x.jsonl"}]})");
  EXPECT_EQ(ReadTable(one)[0].fields["text"], "x");
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
