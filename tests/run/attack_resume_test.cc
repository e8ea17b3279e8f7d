// An attack run that is interrupted goes on after its finished parts, to the same figures.

#include <gmock/gmock.h>

#include <fstream>

#include "grin/base/listener.h"
#include "grin/run/attack.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

class AttackResume : public ::testing::Test {
 protected:
  AttackResume() {
    const fs::path data = fs::path(GRIN_TEST_DATA) / "attack";
    options_ = {.before = data / "before", .reference = data / "never"};
    options_.task = {.forget = data / "forget.jsonl", .retain = data / "retain.jsonl"};
    options_.attack.relearn_budgets = {"mild=1@1e-3", "hard=2@1e-3"};
    options_.attack.samples = 2;
    options_.attack.max_new_tokens = 2;
    options_.output.out = dir_ / "attack.json";
    where_ = {.model = {data / "silent"}, .data = {}, .compute = {.dtype = "float32"}};
  }

  // Ends the run once so many parts are kept. Returns its message.
  std::string RunUntil(size_t parts) {
    const ListenerScope scope({.cancelled = [this, parts] { return PartsKept() >= parts; }});
    return MessageOf([&] { RunAttack(where_, options_); });
  }

  size_t PartsKept() const {
    std::ifstream in(dir_ / "attack.json.state/parts.jsonl");
    size_t parts = 0;
    for (std::string line; std::getline(in, line);) parts += line.starts_with("{\"k\"");
    return parts;
  }

  // The figures, and what is not of the clock.
  static Json Comparable(Json results) {
    results["grin"].erase("seconds");
    results["grin"].erase("peak_memory");
    return results;
  }

  Json WholeRun() const {
    AttackRunOptions options = options_;
    options.output.out = dir_ / "whole.json";
    return RunAttack(where_, options);
  }

  const fs::path dir_ = EmptyDirectory("attack_resume");
  AttackRunOptions options_;
  WorkspaceOptions where_;
};

TEST_F(AttackResume, GoesOnToTheSameFigures) {
  const Json whole = Comparable(WholeRun());
  // Of one model: the plain questions, 2 lessons at 2 budgets, 3 formats, samples.
  size_t last = 0;
  for (const size_t parts : {3u, 8u, 16u}) {
    SCOPED_TRACE(parts);
    options_.state.resume = last > 0;
    EXPECT_THAT(RunUntil(parts), HasSubstr("--resume goes on after"));
    EXPECT_GT(PartsKept(), last);
    last = PartsKept();
    EXPECT_FALSE(fs::exists(dir_ / "attack.json"));
  }
  std::ofstream(dir_ / "attack.json.state/parts.jsonl", std::ios::app) << "{\"k\": \"torn";
  options_.state.resume = true;
  const Json resumed = RunAttack(where_, options_);
  EXPECT_EQ(Comparable(resumed), whole);
  EXPECT_EQ(Comparable(Json::parse(ReadFile(dir_ / "attack.json"))), whole);
  EXPECT_FALSE(fs::exists(dir_ / "attack.json.state"));
  // A command that is given once more finds all done.
  EXPECT_EQ(RunAttack(where_, options_), resumed);
}

// Answers are drawn by a thousand at a time; the second thousand is not the first one again.
TEST_F(AttackResume, GoesOnWithinTheSamples) {
  options_.attack.attacks = {"sample"};
  options_.attack.samples = 600;  // so that a part has one record
  options_.attack.sample_limit = 2;
  options_.attack.max_new_tokens = 1;
  options_.reference.clear();
  const Json whole = Comparable(WholeRun());
  EXPECT_THAT(RunUntil(2), HasSubstr("after 2 finished parts"));
  options_.state.resume = true;
  EXPECT_EQ(Comparable(RunAttack(where_, options_)), whole);
}

TEST_F(AttackResume, RefusesTheStateOfAnotherRun) {
  RunUntil(2);
  EXPECT_THAT(MessageOf([&] { RunAttack(where_, options_); }), HasSubstr("2 finished parts"));
  options_.state.resume = true;
  options_.attack.temperature = 0.5;
  EXPECT_THAT(MessageOf([&] { RunAttack(where_, options_); }), HasSubstr("--temperature was 1"));
  options_.attack.temperature = 1;
  options_.reference = options_.before;
  EXPECT_THAT(MessageOf([&] { RunAttack(where_, options_); }), HasSubstr("--reference was"));
  EXPECT_EQ(PartsKept(), 2u);
}

TEST_F(AttackResume, KeepsNothingWhereItIsToldTo) {
  options_.state.save_minutes = 0;
  options_.attack.attacks = {"round"};
  size_t asked = 0;
  const ListenerScope scope({.cancelled = [&] { return ++asked > 20; }});
  EXPECT_THAT(MessageOf([&] { RunAttack(where_, options_); }), HasSubstr("nothing was saved"));
  EXPECT_FALSE(fs::exists(dir_ / "attack.json.state"));
}

TEST_F(AttackResume, TellsHowFarAllOfItIs) {
  double share = 0;
  bool named = true;
  size_t reports = 0, of_relearning = 0;
  const ListenerScope scope({.progress = [&](const ProgressReport& report) {
    if (report.over) return;
    ++reports;
    named = named && report.label == "attack";
    of_relearning += report.figures.find("of 12: relearn_") != std::string_view::npos;
    share = static_cast<double>(report.done) / static_cast<double>(report.total);
    EXPECT_LE(share, 1);
  }});
  RunAttack(where_, options_);
  EXPECT_TRUE(named);
  EXPECT_GT(reports, 10u);
  EXPECT_GT(of_relearning, 3u);
  EXPECT_GT(share, 0.3);
}

}  // namespace
}  // namespace grin
