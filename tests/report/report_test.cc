#include "grin/report/report.h"

#include <gmock/gmock.h>

#include <map>

#include "grin/base/atomic_file.h"
#include "tests/io/scratch.h"
#include "tests/report/golden_results.h"
#include "tests/report/well_formed.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Report OfFiles(const std::vector<fs::path>& paths, bool compared = true) {
  Report report;
  if (compared) {
    report.yardsticks = LoadYardsticks({GoldenResults("never.json")}, {GoldenResults("before.json")});
  }
  report.runs = LoadRuns(paths, report.yardsticks);
  return report;
}

// The page without style and script, which are no XML.
std::string BodyOf(const std::string& page) {
  const size_t begin = page.find("<body>"), script = page.find("<script nonce=");
  EXPECT_NE(begin, std::string::npos);
  EXPECT_NE(script, std::string::npos);
  return page.substr(begin, script - begin) + "</body>";
}

// The output directory of a run, as grin unlearn leaves it.
fs::path WriteRunDirectory() {
  const fs::path dir = Scratch("report") / "out";
  fs::create_directories(dir);
  Put(dir / "grin.json",
      R"({"grin_version": "1", "command": "unlearn", "recipe": {"lr": 0.001, "scope": ["a", "b"]},
          "inputs": {"model": "M", "forget": {"path": "f.jsonl", "fingerprint": "ab", "records": 12}},
          "tune": {"steps": 2, "kept_step": 1, "guard": ""},
          "cost": {"seconds": 75, "peak_memory_bytes": 2e9}})");
  Put(dir / "log.jsonl",
      "{\"step\": 1, \"forget_loss\": 3.5, \"retain_loss\": 0.2, \"judged\": {\"forget\": "
      "{\"keyword_accuracy\": 0.5}, \"retain\": {\"keyword_accuracy\": 1}}}\n"
      "{\"step\": 2, \"forget_loss\": 2.5, \"retain_loss\": 0.3}\n");
  Mask({{"model.layers.0.mlp.up_proj.weight", {2, 4}, {0b00000011}}})
      .Save(dir / "mask.safetensors");
  return dir;
}

TEST(Report, OfOneRunTellsItsStory) {
  const std::string page = RenderReport(OfFiles({GoldenResults("unlearned.json")}));
  const std::string body = BodyOf(page);
  ExpectWellFormed(body);
  for (const char* section : {"All figures", "Truth ratios", "Example by example", "Sample answers",
                              "Recipe", "Provenance"}) {
    EXPECT_THAT(body, HasSubstr(std::string(">") + section + "</h2>"));
  }
  EXPECT_THAT(body, AllOf(HasSubstr("<h1 id=\"verdict\">"), HasSubstr("D = 0.225"),
                          HasSubstr("<mark>Tarnsby</mark>"), HasSubstr("no --reference-model"),
                          HasSubstr("Model utility")));
}

TEST(Report, NeedsNothingFromOutside) {
  const std::string page = RenderReport(OfFiles({GoldenResults("unlearned.json"), GoldenResults("broken.json")}));
  EXPECT_THAT(page,
              AllOf(HasSubstr("default-src &#39;none&#39;"), Not(HasSubstr("@import")),
                    Not(HasSubstr("url(")), Not(HasSubstr(" src=")), Not(HasSubstr("https:"))));
  // The only address is the name of SVG.
  std::string rest = page;
  for (size_t at; (at = rest.find("http://www.w3.org/2000/svg")) != std::string::npos;) {
    rest.erase(at, 26);
  }
  EXPECT_THAT(rest, Not(HasSubstr("http:")));
}

TEST(Report, StringsFromDataAreNeverMarkup) {
  Json results = Json::parse(ReadFile(GoldenResults("unlearned.json")));
  const std::string evil = "</script></style><img src=x onerror=\"alert(1)\">'&";
  for (auto& [index, entry] : results["forget_Q_A_ROUGE"]["value_by_index"].items()) {
    for (const char* field : {"input", "generation", "ground_truth"}) entry[field] = evil;
  }
  results["forget_keyword_accuracy"]["value_by_index"]["0"]["keywords"] = {"onerror", "img"};
  results["<b>" + evil] = {{"agg_value", nullptr}, {"not_measured", evil}};
  for (const char* key : {"suite", "split", "model", "grin_version", "model_description"}) {
    results["grin"][key] = evil;
  }
  results["grin"]["recipe"][evil] = evil;
  const fs::path dir = Scratch("evil");
  Put(dir / "<img onerror=1>.json", results.dump());
  const std::string page = RenderReport(OfFiles({dir / "<img onerror=1>.json"}));
  const std::string body = BodyOf(page);
  ExpectWellFormed(body);
  XmlReader reader(body);
  reader.Complaint();
  EXPECT_THAT(reader.elements(), AllOf(Not(testing::Contains("img")), Not(testing::Contains("b"))));
  EXPECT_THAT(page, HasSubstr("&lt;<mark>img</mark> src=x <mark>onerror</mark>="));
}

TEST(Report, OfARunDirectoryShowsWhatItLeft) {
  const fs::path dir = WriteRunDirectory();
  const Report report = OfFiles({dir}, false);
  EXPECT_EQ(report.runs[0].name, "out");
  const std::string body = BodyOf(RenderReport(report));
  ExpectWellFormed(body);
  EXPECT_THAT(body, AllOf(HasSubstr("Not evaluated yet"), HasSubstr("kept: step 1"),
                          HasSubstr("mlp.up_proj, layer 0: 2 of 8"), HasSubstr("1m 15s"),
                          HasSubstr("f.jsonl · 12 records · ab"), HasSubstr("<td>a, b</td>"),
                          Not(HasSubstr("Truth ratios")), Not(HasSubstr("Sample answers"))));
  // The same from memory, as grin unlearn has it.
  const ReportedRun& run = report.runs[0];
  const Mask mask = Mask::Load(dir / "mask.safetensors");
  EXPECT_EQ(BodyOf(RenderRunReport("out", run.record, run.log, &mask)), body);
  ExpectWellFormed(BodyOf(RenderRunReport("out", {{"command", "finetune"}}, {}, nullptr)));
}

TEST(Report, FindsWhatLiesBesideTheModel) {
  const fs::path dir = WriteRunDirectory().parent_path();
  Json results = Json::parse(ReadFile(GoldenResults("unlearned.json")));
  results["grin"]["model"] = "out";
  Put(dir / "R.json", results.dump());
  const Report report = OfFiles({dir / "R.json"});
  EXPECT_EQ(report.runs[0].log.size(), 2u);
  EXPECT_TRUE(report.runs[0].density);
  EXPECT_THAT(RenderReport(report),
              AllOf(HasSubstr("Training</h2>"), HasSubstr("Truth ratios</h2>")));
}

TEST(Report, RefusesWhatItCannotRead) {
  EXPECT_THAT(ErrorOf([] { OfFiles({Scratch("none")}, false); }), HasSubstr("has no grin.json"));
  const fs::path dir = WriteRunDirectory();
  Put(dir / "log.jsonl", "{\"step\": 1}\n[2]\n");
  EXPECT_THAT(ErrorOf([&] { OfFiles({dir}, false); }), HasSubstr("log.jsonl:2: holds array"));
  Put(dir / "log.jsonl", "{\"step\": 1}\n{\n");
  EXPECT_THAT(ErrorOf([&] { OfFiles({dir}, false); }), HasSubstr("log.jsonl:2:"));
}

TEST(Report, SaysWhenTheReferenceIsOfOtherQuestions) {
  Json never = Json::parse(ReadFile(GoldenResults("never.json")));
  never["grin"]["split"] = "forget05";
  const fs::path path = Scratch("other") / "never05.json";
  Put(path, never.dump());
  Report report{.runs = {}, .yardsticks = LoadYardsticks({path}, {})};
  report.runs = LoadRuns({GoldenResults("unlearned.json")}, report.yardsticks);
  const char* const note = "compared with 40 other questions: the reference is of split forget05";
  const std::string body = BodyOf(RenderReport(report));
  ExpectWellFormed(body);
  EXPECT_THAT(body, HasSubstr(std::string("Caution: ") + note));
  EXPECT_THAT(SummarizeReport(report)["caution"], HasSubstr(note));
  report.runs = LoadRuns({GoldenResults("unlearned.json"), GoldenResults("broken.json")}, report.yardsticks);
  const std::string many = BodyOf(RenderReport(report));
  ExpectWellFormed(many);
  EXPECT_THAT(many, HasSubstr(std::string("Caution: forget quality of unlearned is ") + note));
}

// Results of a suite, as grin eval writes them.
fs::path PutResults(const fs::path& path, const std::string& suite, const std::string& print,
                    const std::map<std::string, double>& averages) {
  Json results = {{"grin",
                   {{"format", "grin-results-1"},
                    {"suite", suite},
                    {"model", "a model that is not here"},
                    {"model_fingerprint", print},
                    {"seconds", 60},
                    {"peak_memory", 1e9},
                    {"recipe", {{"suite", suite}}}}}};
  for (const auto& [metric, value] : averages) results[metric] = {{"agg_value", value}};
  Put(path, results.dump());
  return path;
}

TEST(Report, FilesOfOneModelAreOneRun) {
  const fs::path dir = Scratch("joined");
  const std::vector<fs::path> before = {
      PutResults(dir / "wmdp0.json", "wmdp", "a", {{"wmdp_bio", 0.64}}),
      PutResults(dir / "mmlu0.json", "mmlu", "a", {{"mmlu", 0.58}})};
  const std::vector<fs::path> after = {
      PutResults(dir / "wmdp1.json", "wmdp", "b", {{"wmdp_bio", 0.28}}),
      PutResults(dir / "mmlu1.json", "mmlu", "b", {{"mmlu", 0.57}})};
  Report report{.runs = {}, .yardsticks = LoadYardsticks({}, before)};
  report.runs = LoadRuns(after, report.yardsticks);
  ASSERT_EQ(report.runs.size(), 1u);
  EXPECT_EQ(report.runs[0].name, "wmdp1");
  const Json summary = SummarizeReport(report);
  EXPECT_EQ(summary["verdict"]["headline"], "Forgotten, by this measure; the rest was kept.");
  EXPECT_EQ(summary["metrics"]["mmlu"], 0.57);
  EXPECT_EQ(summary["files"], Json({after[0].string(), after[1].string()}));
  const std::string body = BodyOf(RenderReport(report));
  ExpectWellFormed(body);
  EXPECT_THAT(body, AllOf(HasSubstr("wmdp1 · wmdp · mmlu"), HasSubstr(after[1].string()),
                          HasSubstr("wmdp0.json and mmlu0.json"), HasSubstr("2m 00s")));
  // Several models in one call: each is a run of its own.
  std::vector<fs::path> all = before;
  all.insert(all.end(), after.begin(), after.end());
  EXPECT_EQ(LoadRuns(all, {}).size(), 2u);
}

TEST(Report, FilesThatNeedNotBeOfOneModelStayApart) {
  const fs::path dir = Scratch("apart");
  const fs::path wmdp = PutResults(dir / "wmdp.json", "wmdp", "a", {{"wmdp_bio", 0.28}}),
                 mmlu = PutResults(dir / "mmlu.json", "mmlu", "b", {{"mmlu", 0.57}}),
                 again = PutResults(dir / "again.json", "wmdp", "a", {{"wmdp_bio", 0.29}});
  EXPECT_EQ(LoadRuns({wmdp, mmlu}, {}).size(), 2u);
  EXPECT_EQ(LoadRuns({wmdp, again}, {}).size(), 2u);
  // A yardstick is one model, so there it is an error.
  EXPECT_THAT(ErrorOf([&] {
                LoadYardsticks({}, {wmdp, mmlu});
              }),
              AllOf(HasSubstr("mmlu.json"), HasSubstr("of one model")));
  EXPECT_THAT(ErrorOf([&] {
                LoadYardsticks({wmdp, again}, {});
              }),
              HasSubstr("wmdp_bio is in more than one"));
}

TEST(Report, AStandardErrorIsShownAsAnIntervalOf95Percent) {
  const fs::path path = Scratch("stderr") / "R.json";
  Put(path, R"({"wmdp_bio": {"agg_value": 0.3, "stderr": 0.0128}, "grin": {"format":
      "grin-results-1"}})");
  EXPECT_THAT(RenderReport(OfFiles({path}, false)),
              AllOf(HasSubstr("95 % interval"), HasSubstr("± 0.025"), Not(HasSubstr("± 0.013"))));
}

TEST(Report, OfManyRunsComparesThem) {
  const Report report = OfFiles({GoldenResults("unlearned.json"), GoldenResults("broken.json")});
  const std::string body = BodyOf(RenderReport(report));
  ExpectWellFormed(body);
  EXPECT_THAT(body, AllOf(HasSubstr("2 runs side by side"), HasSubstr("id=\"trade-off-chart"),
                          HasSubstr("aria-sort=\"none\""), HasSubstr("never saw it"),
                          HasSubstr("class=\"runs sortable\"")));
}

TEST(Report, OfManyRunsComparesTheWorstPartOfWmdp) {
  const fs::path dir = Scratch("wmdp");
  const auto put = [&](const char* name, const std::map<std::string, double>& averages) {
    return PutResults(dir / name, "wmdp", name, averages);
  };
  const fs::path one = put("a.json", {{"wmdp_bio", 0.28}, {"wmdp_cyber", 0.44}, {"mmlu", 0.57}}),
                 two = put("b.json", {{"wmdp_bio", 0.35}, {"wmdp_cyber", 0.3}, {"mmlu", 0.5}}),
                 bio = put("c.json", {{"wmdp_bio", 0.4}, {"mmlu", 0.5}}),
                 cyber = put("d.json", {{"wmdp_cyber", 0.4}, {"mmlu", 0.5}});
  const std::string body = BodyOf(RenderReport(OfFiles({one, two}, false)));
  ExpectWellFormed(body);
  EXPECT_THAT(body, HasSubstr("WMDP, accuracy, highest of bio, cyber"));
  // Only what is measured in all is compared; where that is nothing, what two have.
  const std::string fewer = RenderReport(OfFiles({one, two, bio}, false));
  EXPECT_THAT(fewer, AllOf(HasSubstr("trade-off-chart"), Not(HasSubstr("highest of"))));
  const std::string none = RenderReport(OfFiles({one, bio, cyber}, false));
  EXPECT_THAT(none, AllOf(HasSubstr("trade-off-chart"), HasSubstr("2 of 3 runs have both")));
}

TEST(Report, RunsAreNamedByWhatTellsThemApart) {
  Report report;
  report.runs.resize(3);
  NameRuns(report.runs, {"sweep/a/R.json", "sweep/b/R.json", "other/b/R.json"});
  EXPECT_EQ(report.runs[0].name, "sweep/a/R");
  EXPECT_EQ(report.runs[2].name, "other/b/R");
  report.runs.resize(1);
  NameRuns(report.runs, {"out/"});
  EXPECT_EQ(report.runs[0].name, "out");
}

TEST(FormatRuns, InEveryFormat) {
  Report report = OfFiles({GoldenResults("unlearned.json"), GoldenResults("broken.json")});
  report.runs[0].name = "a|b, \"c\"";
  const Json summary = SummarizeReport(report);
  ASSERT_EQ(summary["runs"].size(), 2u);
  EXPECT_EQ(FormatRuns(report, "json"), summary.dump() + "\n");
  const Json& first = summary["runs"][0];
  EXPECT_EQ(first["not_measured"]["mia_reference"], "no --reference-model was given");
  EXPECT_TRUE(first["metrics"]["mia_reference"].is_null());
  EXPECT_TRUE(first["verdict"]["headline"].is_string());

  const std::string csv = FormatRuns(report, "csv");
  EXPECT_THAT(csv, testing::StartsWith("run,forget_quality,forget_distance,model_utility,"));
  EXPECT_THAT(csv, HasSubstr("\n\"a|b, \"\"c\"\"\","));
  EXPECT_THAT(csv, HasSubstr("," + fmt::format("{}", first["overall"].get<double>()) + ","));

  EXPECT_THAT(FormatRuns(report, "markdown"),
              AllOf(HasSubstr("|---|---:|"), HasSubstr("| a\\|b, \"c\" | ")));

  const std::string text = FormatRuns(report, "text");
  EXPECT_THAT(text, HasSubstr("0.225"));
  std::vector<size_t> widths;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    widths.push_back(end - begin);
    begin = end + 1;
  }
  EXPECT_THAT(widths, ElementsAre(widths[0], widths[0], widths[0]));
  EXPECT_THROW(FormatRuns(report, "xml"), Error);
}

TEST(SummarizeReport, OfOneRunIsOneObject) {
  const Json summary = SummarizeReport(OfFiles({GoldenResults("unlearned.json")}));
  const Json expected = Json::parse(ReadFile(GoldenResults("expected.json")))["unlearned"];
  for (const auto& [name, value] : expected.items()) {
    EXPECT_NEAR(summary[name].get<double>(), value.get<double>(), 1e-9) << name;
  }
}

}  // namespace
}  // namespace grin
