// Whole sweeps on small models.

#include <gmock/gmock.h>

#include "grin/run/attack.h"
#include "grin/run/evaluate.h"
#include "grin/sweep/choice.h"
#include "grin/sweep/figure.h"
#include "tests/sweep/toy_sweep.h"

namespace grin {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

TEST(Sweep, HasTheFiguresOfTheSingleCommands) {
  const ToySweep toy("sweep_single");
  const Json table = toy.Run(ToySweep::Small());
  ASSERT_THAT(table["rows"], SizeIs(2));
  const Json& row = table["rows"][1];
  EXPECT_EQ(row["settings"]["lr"], 0.003);
  EXPECT_EQ(row["seeds"], Json({0, 1}));
  const Json run =
      Json::parse(ReadFile(toy.out() / "runs" / (row["runs"][1].get<std::string>() + ".json")));
  EXPECT_EQ(run["seed"], 1);

  // The same by hand, with nothing shared.
  const fs::path dir = toy.dir();
  WorkspaceOptions where{
      .model = {dir / "before"}, .data = {}, .compute = {.dtype = "float32", .seed = 1}};
  where.compute.device = "cpu";
  const TaskOptions task{.forget = dir / "forget.jsonl", .retain = dir / "retain.jsonl"};
  Workspace workspace = OpenWorkspace(where);
  UnlearnOptions unlearn;
  unlearn.steps.steps = 2;
  unlearn.steps.lr = 3e-3;
  unlearn.output.out = dir / "model";
  Unlearn(workspace, LoadTask(workspace, task), unlearn);
  EvaluateOptions eval;
  eval.suite.suite = "keywords";
  eval.suite.data = fmt::format("forget={},retain={}", task.forget, task.retain);
  eval.suite.max_new_tokens = 4;
  eval.output.out = dir / "eval.json";
  where.model.model = dir / "model";
  const Json evaluated = Evaluate(where, eval);
  AttackRunOptions attack{.before = dir / "before", .reference = dir / "never", .task = task};
  attack.attack.attacks = {"round"};
  attack.attack.round_types = {"nf4"};
  attack.attack.max_new_tokens = 4;
  const Json attacked = RunAttack(where, attack);

  for (const auto& [name, figure] : FiguresOfEval(evaluated, nullptr, nullptr)) {
    ASSERT_TRUE(run["figures"].contains(name)) << name;
    EXPECT_EQ(run["figures"][name]["value"], figure.value ? Json(*figure.value) : Json()) << name;
  }
  const Json figures = FiguresToJson(FiguresOfAttack(attacked));
  EXPECT_TRUE(figures.contains("round_nf4_keyword_accuracy"));
  for (const auto& [name, figure] : figures.items()) {
    EXPECT_EQ(run["figures"][name], figure) << name;
  }
}

TEST(Sweep, DoesNothingTwice) {
  const ToySweep toy("sweep_again");
  const Json table = toy.Run(ToySweep::Small());
  const auto runs = toy.Runs();
  EXPECT_THAT(runs, SizeIs(4));
  EXPECT_EQ(toy.Run(ToySweep::Small()), table);  // seconds too
  EXPECT_EQ(toy.Runs(), runs);
  // A changed file re-uses what it still asks for.
  std::string more = ToySweep::Small();
  more.replace(more.find("[1e-3, 3e-3]"), 12, "[3e-3, 1e-2]");
  const Json other = toy.Run(more);
  EXPECT_THAT(toy.Runs(), SizeIs(6));
  EXPECT_EQ(other["rows"][0]["runs"], table["rows"][1]["runs"]);
  EXPECT_EQ(other["rows"][0]["figures"], table["rows"][1]["figures"]);
}

TEST(Sweep, MakesModelsOnceAndNamesThem) {
  const ToySweep toy("sweep_models");
  const std::string toml =
      "[[finetune]]\nname = \"full\"\nmodel = \"never\"\ndata = [\"forget.jsonl\", "
      "\"retain.jsonl\"]\n"
      "steps = 3\nlr = 1e-3\n"
      "[[finetune]]\nname = \"more\"\nmodel = \"full\"\ndata = \"retain.jsonl\"\nsteps = 1\n" +
      std::string(
          "[unlearn]\nmodel = \"more\"\nforget = \"forget.jsonl\"\nretain = \"retain.jsonl\"\n"
          "steps = 1\n") +
      ToySweep::Eval() +
      "[attack]\nbefore = \"full\"\nreference = \"never\"\nattacks = \"round\"\n"
      "round-types = \"nf4\"\nmax-new-tokens = 4\n"
      "[choose]\nleft = \"forget_Q_A_Prob\"\n";
  toy.Run(toml);
  EXPECT_TRUE(fs::exists(toy.out() / "models/more/model.safetensors"));
  const auto made = fs::last_write_time(toy.out() / "models/full/model.safetensors");
  // The model changes, and with it all that is made from it.
  std::string other = toml;
  other.replace(other.find("steps = 1\n"), 10, "steps = 2\n");
  toy.Run(other);
  EXPECT_EQ(fs::last_write_time(toy.out() / "models/full/model.safetensors"), made);
  EXPECT_THAT(toy.Runs(), SizeIs(2));
}

TEST(Sweep, DoesNotGoOnWithWhatIsHopeless) {
  const ToySweep toy("sweep_hopeless");
  const std::string toml =
      "[sweep]\nseeds = [0, 1]\nhopeless = 0.95\n" + ToySweep::Unlearn() +
      "noise = 0\nkeep = \"last\"\ncollapse = 0\noutlier = 0\n[grid]\nlr = [1e-6, 1]\n" +
      ToySweep::Eval() + ToySweep::Attack();
  const Json table = toy.Run(toml);
  EXPECT_THAT(toy.Runs(), SizeIs(3));
  const Json &good = table["rows"][0], &bad = table["rows"][1];
  EXPECT_FALSE(good["hopeless"].get<bool>());
  EXPECT_EQ(good["seeds"], Json({0, 1}));
  EXPECT_TRUE(bad["hopeless"].get<bool>());
  EXPECT_EQ(bad["seeds"], Json({0}));
  EXPECT_EQ(bad["open"], 0);
  EXPECT_FALSE(bad["figures"].contains("came_back"));
  EXPECT_TRUE(bad["figures"].contains("retain_keyword_accuracy"));
  EXPECT_THAT(ReadFile(toy.out() / "table.md"), HasSubstr("| hopeless |"));
  // Where the rule is taken back it is attacked after all.
  std::string without = toml;
  without.replace(without.find("0.95"), 4, "0");
  EXPECT_TRUE(toy.Run(without)["rows"][1]["figures"].contains("came_back"));
}

TEST(Sweep, OnlyFinalistsGoOn) {
  const ToySweep toy("sweep_finalists");
  std::string toml = ToySweep::Small();
  toml.insert(toml.find("hopeless"), "finalists = 1\n");
  toml.replace(toml.find("[1e-3, 3e-3]"), 12, "[1e-3, 3e-3, 1e-2]");
  const Json table = toy.Run(toml);
  EXPECT_THAT(toy.Runs(), SizeIs(4));  // three settings, one of them with a second seed
  size_t finalists = 0;
  for (const Json& row : table["rows"]) {
    const bool on = !row["passed_over"].get<bool>();
    finalists += on;
    EXPECT_EQ(row["seeds"], on ? Json({0, 1}) : Json({0}));
    EXPECT_EQ(row["open"], 0);
    EXPECT_EQ(row["best"].empty(), !on);
  }
  EXPECT_EQ(finalists, 1u);
  EXPECT_THAT(ReadFile(toy.out() / "table.md"), HasSubstr("first seed only"));
  // The same again does nothing, and without the rule the others go on.
  EXPECT_EQ(toy.Run(toml), table);
  toml.erase(toml.find("finalists = 1\n"), 14);
  EXPECT_THAT(toy.Run(toml)["notes"], Not(Contains(HasSubstr("not done"))));
  EXPECT_THAT(toy.Runs(), SizeIs(6));
}

TEST(BestOf, TakesThoseThatKeepTheRestFirst) {
  const std::vector<Judgement> judged = {{.utility = 0.90, .left = 0.1}, {.utility = 0.98, .left = 0.5},
                                         {.utility = 0.99, .left = 0.3}, {},
                                         {.utility = 0.95, .left = 0.0}, {.utility = 1.0, .left = 0.3}};
  EXPECT_THAT(BestOf(judged, 0.97, 4), ElementsAre(5, 2, 1, 4));
  EXPECT_THAT(BestOf(judged, 0.97, 9), ElementsAre(5, 2, 1, 4, 0));
}

TEST(Sweep, KeepsToItsBudgets) {
  const ToySweep toy("sweep_budget");
  std::string toml = ToySweep::Small();
  toml.insert(toml.find("hopeless"), "runs = 3\n");
  const Json table = toy.Run(toml);
  EXPECT_THAT(toy.Runs(), SizeIs(3));
  EXPECT_EQ(table["rows"][0]["seeds"], Json({0, 1}));
  EXPECT_EQ(table["rows"][1]["seeds"], Json({0}));
  EXPECT_THAT(table["notes"], Contains("runs = 3: 1 more runs of the plan are left out"));

  std::string timed = ToySweep::Small();
  timed.insert(timed.find("hopeless"), "minutes = 1e-9\n");
  timed.replace(timed.find("steps = 2"), 9, "steps = 3");
  const Json none = toy.Run(timed);
  EXPECT_THAT(toy.Runs(), SizeIs(3));
  EXPECT_THAT(none["notes"], Contains("WARNING: 4 of 4 runs are not done"));
}

TEST(Sweep, KeepsCheckpoints) {
  const ToySweep toy("sweep_keep");
  std::string toml = ToySweep::Small();
  toml.insert(toml.find("hopeless"), "keep = \"all\"\n");
  const Json table = toy.Run(toml);
  std::map<std::string, std::string> weights;
  for (const auto& entry : fs::directory_iterator(toy.out() / "checkpoints")) {
    weights[entry.path().filename()] = ReadFile(entry.path() / "model.safetensors");
  }
  EXPECT_THAT(weights, SizeIs(4));
  // Those of the best are made again to the bit, and the others go.
  fs::remove_all(toy.out() / "checkpoints");
  toml.replace(toml.find("\"all\""), 5, "\"best\"");
  toy.Run(toml);
  size_t kept = 0;
  for (const auto& entry : fs::directory_iterator(toy.out() / "checkpoints")) {
    EXPECT_EQ(ReadFile(entry.path() / "model.safetensors"), weights[entry.path().filename()]);
    ++kept;
  }
  EXPECT_EQ(kept, 2u);
}

TEST(Sweep, TellsOfARunThatFailsAndGoesOn) {
  const ToySweep toy("sweep_fails");
  const std::string toml = "[sweep]\nhopeless = 0\n" + ToySweep::Unlearn() +
                           "[grid]\nfraction = [1e-9, 0.1]\n" + ToySweep::Eval();
  const Json table = toy.Run(toml);
  EXPECT_THAT(table["rows"][0]["failures"][0].get<std::string>(), HasSubstr("selects none"));
  EXPECT_THAT(table["rows"][1]["failures"], SizeIs(0));
  EXPECT_THAT(table["rows"][1]["seeds"], SizeIs(1));
  EXPECT_THAT(ReadFile(toy.out() / "table.md"), HasSubstr("selects none"));
}

}  // namespace
}  // namespace grin
