// grin report as its users meet it.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "tests/cli/grin_command.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct Outcome {
  int code = -1;
  std::string out, err;
};

class ReportCommand : public testing::Test {
 protected:
  const fs::path dir_ = Scratch("report_command");

  ReportCommand() {
    for (const char* name : {"unlearned", "broken", "never", "before"}) {
      Put(dir_ / (std::string(name) + ".json"),
          ReadFile(fs::path(GRIN_TEST_DATA) / "report" / (std::string(name) + ".json")));
    }
    for (const char* name : {"legacy_unlearned", "legacy_retain"}) {
      Put(dir_ / (std::string(name) + ".json"),
          ReadFile(fs::path(GRIN_TEST_DATA) / "eval" / (std::string(name) + ".json")));
    }
  }

  Outcome Grin(const std::string& args) const {
    const std::string command = "cd '" + dir_.string() + "' && " + GrinCommand() + " " + args +
                                " >stdout.txt 2>stderr.txt </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(dir_ / "stdout.txt"),
            ReadFile(dir_ / "stderr.txt")};
  }
};

TEST_F(ReportCommand, WritesAPageAndPrintsTheFigures) {
  const Outcome outcome =
      Grin("report unlearned.json --reference never.json --before before.json --out r.html --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const Json summary = Json::parse(outcome.out);
  EXPECT_NEAR(summary["forget_distance"].get<double>(), 0.225, 1e-9);
  EXPECT_THAT(ReadFile(dir_ / "r.html"), HasSubstr("<h1 id=\"verdict\">"));
  // It is not overwritten unless asked.
  EXPECT_EQ(Grin("report unlearned.json --out r.html").code, 3);
  EXPECT_EQ(Grin("report unlearned.json --out r.html --force").code, 0);
}

TEST_F(ReportCommand, ReadsLocuslabsResults) {
  const Json expected =
      Json::parse(ReadFile(fs::path(GRIN_TEST_DATA) / "eval" / "legacy_expected.json"));
  const Outcome outcome =
      Grin("report legacy_unlearned.json --reference legacy_retain.json --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const Json summary = Json::parse(outcome.out);
  for (const char* figure : {"forget_quality", "model_utility"}) {
    EXPECT_NEAR(summary[figure].get<double>(), expected[figure].get<double>(), 1e-9) << figure;
  }
}

TEST_F(ReportCommand, TakesTheReferenceThatTheResultsName) {
  Json results = Json::parse(ReadFile(dir_ / "unlearned.json"));
  results["grin"]["reference"] = "never.json";
  Put(dir_ / "named.json", results.dump());
  EXPECT_THAT(Grin("report named.json --json").out, HasSubstr("\"privacy\":0.96"));
  EXPECT_THAT(Grin("report unlearned.json --json").out, HasSubstr("\"privacy\":null"));
}

TEST_F(ReportCommand, ComparesManyRuns) {
  const Outcome outcome =
      Grin("report unlearned.json broken.json --reference never.json --format csv --out many.html");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("run,forget_quality"), HasSubstr("\nunlearned,"),
                                 HasSubstr("\nbroken,")));
  EXPECT_THAT(ReadFile(dir_ / "many.html"), HasSubstr("2 runs side by side"));
}

TEST_F(ReportCommand, WarnsOfAReferenceOnOtherQuestions) {
  Json never = Json::parse(ReadFile(dir_ / "never.json"));
  never["forget_truth_ratio"]["value_by_index"].erase("0");
  Put(dir_ / "fewer.json", never.dump());
  const Outcome outcome = Grin("report unlearned.json --reference fewer.json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("compared with 39 other questions"));
  EXPECT_EQ(Grin("report unlearned.json --reference never.json").err.find("other questions"),
            std::string::npos);
}

TEST_F(ReportCommand, TakesSeveralFilesOfOneModel) {
  const auto put = [&](const char* name, const char* print, const char* metric, double value) {
    Put(dir_ / name, Json{{metric, {{"agg_value", value}}},
                          {"grin", {{"format", "grin-results-1"}, {"model_fingerprint", print}}}}
                         .dump());
  };
  put("wmdp0.json", "a", "wmdp_bio", 0.64);
  put("mmlu0.json", "a", "mmlu", 0.58);
  put("wmdp1.json", "b", "wmdp_bio", 0.28);
  put("mmlu1.json", "b", "mmlu", 0.2);
  const Outcome outcome =
      Grin("report --before wmdp0.json,mmlu0.json wmdp1.json mmlu1.json --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Forgotten, by this measure; much of the rest was lost."));
  EXPECT_THAT(outcome.err, HasSubstr("files: 2, runs: 1"));
  EXPECT_EQ(Grin("report wmdp1.json --before wmdp0.json,mmlu1.json").code, 3);
}

TEST_F(ReportCommand, RefusesWhatItCannotUse) {
  EXPECT_EQ(Grin("report").code, 2);
  EXPECT_EQ(Grin("report unlearned.json --format xml").code, 2);
  const Outcome outcome = Grin("report none.json --out r.html");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("none.json"));
  EXPECT_FALSE(fs::exists(dir_ / "r.html"));
}

}  // namespace
}  // namespace grin
