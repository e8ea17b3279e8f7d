// All attacks as one call.

#include <gmock/gmock.h>

#include "grin/report/report.h"
#include "grin/run/attack.h"
#include "grin/suite/results.h"
#include "tests/report/well_formed.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

fs::path AttackFixture(const std::string& name) {
  return fs::path(GRIN_TEST_DATA) / "attack" / name;
}

// A run that takes a moment.
AttackRunOptions SmallAttack() {
  AttackRunOptions options{.before = AttackFixture("before"), .reference = AttackFixture("never")};
  options.task = {.forget = AttackFixture("forget.jsonl"), .retain = AttackFixture("retain.jsonl")};
  options.attack.relearn_budgets = {"hard=2@1e-3"};
  options.attack.samples = 2;
  options.attack.max_new_tokens = 8;
  return options;
}

WorkspaceOptions SilentModel() {
  return {.model = {AttackFixture("silent")}, .data = {}, .compute = {.dtype = "float32"}};
}

TEST(RunAttack, WritesResultsThatReportReads) {
  const fs::path dir = EmptyDirectory("attack_run");
  AttackRunOptions options = SmallAttack();
  options.output.out = dir / "attack.json";
  const Json results = RunAttack(SilentModel(), options);
  const Json written = LoadResults(dir / "attack.json");
  for (const char* name :
       {"plain_keyword_accuracy", "plain_generated_keywords", "relearn_keyword_accuracy",
        "relearn_retain_keyword_accuracy", "round_q8_0_keyword_accuracy",
        "round_q4_0_keyword_accuracy", "round_nf4_keyword_accuracy", "leak_at_1"}) {
    ASSERT_TRUE(written.contains(name)) << name;
    for (const char* key : {"agg_value", "before", "reference", "interval", "label"}) {
      EXPECT_TRUE(written[name].contains(key)) << name << " " << key;
    }
    EXPECT_EQ(written[name]["agg_value"], results[name]["agg_value"]);
  }
  EXPECT_EQ(written["relearn_keyword_accuracy"]["curve"].size(), 3u);
  const Json& grin = written["grin"];
  EXPECT_EQ(grin["command"], "attack");
  EXPECT_EQ(grin["recipe"]["samples"], 2);
  EXPECT_EQ(grin["recipe"]["relearn-budgets"], Json({"hard=2@1e-3"}));
  EXPECT_EQ(grin["models"]["before"]["path"], AttackFixture("before").string());
  EXPECT_EQ(grin["inputs"][0]["records"], 12);
  EXPECT_EQ(grin["model_fingerprint"], grin["models"]["model"]["fingerprint"]);

  Report report;
  report.runs = LoadRuns({dir / "attack.json"}, {});
  const std::string page = RenderReport(report);
  const size_t begin = page.find("<body>"), end = page.find("<script nonce=");
  const std::string body = page.substr(begin, end - begin) + "</body>";
  ExpectWellFormed(body);
  EXPECT_THAT(body, HasSubstr("Does it stay forgotten?"));
  EXPECT_THAT(body, HasSubstr("Only keeps silent"));
  EXPECT_THAT(body, HasSubstr("attack-relearn_keyword_accuracy"));  // a curve
  EXPECT_THAT(body, Not(HasSubstr("Compared with nothing")));
  EXPECT_EQ(SummarizeReport(report)["verdict"]["headline"], "Only keeps silent.");

  // Beside an evaluation of the same model both are one run, and neither says the other's.
  Json evaluation = {
      {"forget_keyword_accuracy", {{"agg_value", 0.1}}},
      {"grin", {{"format", "grin-results-1"}, {"model_fingerprint", grin["model_fingerprint"]}}}};
  WriteFile(dir / "eval.json", evaluation.dump());
  report.runs = LoadRuns({dir / "eval.json", dir / "attack.json"}, {});
  ASSERT_EQ(report.runs.size(), 1u);
  const std::string both = RenderReport(report);
  EXPECT_THAT(both, HasSubstr("Does it stay forgotten?"));
  EXPECT_THAT(both, HasSubstr("All figures"));
  EXPECT_THAT(both, HasSubstr("Under attack"));
}

TEST(RunAttack, RunsTheAttacksThatAreNamedAlone) {
  AttackRunOptions options = SmallAttack();
  options.reference.clear();
  options.attack.attacks = {"round"};
  options.attack.round_types = {"nf4"};
  const Json results = RunAttack(SilentModel(), options);
  EXPECT_TRUE(results.contains("round_nf4_keyword_accuracy"));
  EXPECT_FALSE(results.contains("round_q4_0_keyword_accuracy"));
  EXPECT_FALSE(results.contains("relearn_keyword_accuracy"));
  EXPECT_FALSE(results.contains("leak_at_1"));
  EXPECT_TRUE(results["round_nf4_keyword_accuracy"]["reference"].is_null());
  EXPECT_THAT(results["grin"]["verdict"]["headline"].get<std::string>(), HasSubstr("--reference"));
}

TEST(RunAttack, IsTheSameForAnyBatch) {
  const auto figures = [](int64_t batch) {
    AttackRunOptions options = SmallAttack();
    options.attack.attacks = {"sample"};
    options.attack.batch_size = batch;
    Json results = RunAttack(SilentModel(), options);
    results.erase("grin");
    return results;
  };
  EXPECT_EQ(figures(1), figures(16));
}

TEST(RunAttack, RefusesBeforeTheWork) {
  const ToyRun toy("attack_refuses");
  WriteToy(toy.dir() / "other", {.tokenizer = "llama3_like", .end_token = "<|end_of_text|>"});
  const auto files = toy.Files();
  const auto refusal =
      [&](const std::function<void(WorkspaceOptions&, AttackRunOptions&)>& change) {
        WorkspaceOptions where = SilentModel();
        AttackRunOptions options = SmallAttack();
        options.attack.attacks = {"sample"};
        options.output.out = toy.dir() / "attack.json";
        change(where, options);
        const std::string message = MessageOf([&] { RunAttack(where, options); });
        EXPECT_EQ(toy.Files(), files) << message;
        return message;
      };
  EXPECT_THAT(refusal([](auto&, auto& o) { o.before.clear(); }), HasSubstr("--before is required"));
  EXPECT_THAT(refusal([](auto&, auto& o) { o.attack.attacks = {"rounds"}; }),
              HasSubstr("did you mean round"));
  EXPECT_THAT(refusal([](auto&, auto& o) { o.attack.samples = 0; }), HasSubstr("--samples is 0"));
  EXPECT_THAT(refusal([](auto&, auto& o) { o.attack.retain_limit = -1; }),
              HasSubstr("--retain-limit"));
  EXPECT_THAT(refusal([](auto&, auto& o) { o.task.forget.clear(); }), HasSubstr("--forget"));
  EXPECT_THAT(refusal([&](auto&, auto& o) { o.before = toy.dir() / "nothing"; }),
              HasSubstr("nothing"));
  EXPECT_THAT(refusal([&](auto&, auto& o) { o.before = toy.dir() / "other"; }), HasSubstr("reads"));
  EXPECT_THAT(refusal([&](auto&, auto& o) { o.output.out = toy.dir() / "forget.jsonl"; }),
              HasSubstr("exists already"));
}

}  // namespace
}  // namespace grin
