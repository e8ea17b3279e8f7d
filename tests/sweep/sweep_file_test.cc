// The file of a sweep: what it means, and what is refused.

#include "grin/sweep/sweep_file.h"

#include <gmock/gmock.h>

#include "grin/sweep/sweep_plan.h"
#include "tests/sweep/toy_sweep.h"

namespace grin {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SweepFileTest : public testing::Test {
 protected:
  SweepFile Read(const std::string& toml) {
    WriteFile(toy_.file(), toml);
    return ReadSweepFile(toy_.file(), toy_.out() / "models", {});
  }
  SweepPlan Plan(const std::string& toml) {
    file_ = Read(toml);
    SweepIdentities identities(file_);
    return MakeSweepPlan(file_, identities);
  }
  std::string Refusal(const std::string& toml) {
    return MessageOf([&] { Plan(toml); });
  }

  ToySweep toy_{"sweep_file"};
  SweepFile file_;
};

std::string Base() { return ToySweep::Unlearn() + ToySweep::Eval(); }

TEST_F(SweepFileTest, GivesEveryMethodItsGrid) {
  const SweepPlan plan = Plan(Base() +
                              "[grid]\nlr = [1e-3, 3e-3]\nbeta = [0.1]\n"
                              "[[method]]\nname = \"a\"\nobjective = \"npo\"\n"
                              "[method.grid]\nfraction = [0.05, 0.3]\n"
                              "[[method]]\nname = \"b\"\nlr = 1e-2\n");
  std::vector<std::string> rows;
  for (const SweepSetting& setting : plan.settings) {
    rows.push_back(setting.method + ": " + DescribeVaried(setting.varied));
  }
  EXPECT_THAT(rows, ElementsAre("a: fraction = 0.05, lr = 0.001, beta = 0.1", "b: beta = 0.1",
                                "a: fraction = 0.05, lr = 0.003, beta = 0.1",
                                "a: fraction = 0.3, lr = 0.001, beta = 0.1",
                                "a: fraction = 0.3, lr = 0.003, beta = 0.1"));
  EXPECT_EQ(plan.runs[1].unlearn.unlearn.steps.lr, 1e-2);
  EXPECT_EQ(plan.runs[3].unlearn.unlearn.locate.fraction, 0.3);
}

TEST_F(SweepFileTest, TakesSeedsInTurn) {
  const SweepPlan plan = Plan("[sweep]\nseeds = [3, 1]\n" + Base() + "[grid]\nlr = [1e-3, 3e-3]\n");
  std::vector<int64_t> seeds;
  for (const SweepRun& run : plan.runs) seeds.push_back(run.seed);
  EXPECT_THAT(seeds, ElementsAre(3, 3, 1, 1));
  EXPECT_EQ(plan.runs[2].unlearn.where.compute.seed, 1);
}

TEST_F(SweepFileTest, DrawsFromRangesAndLists) {
  const std::string toml = "[sweep]\ndraws = 20\n" + Base() +
                           "[grid]\nlr = {min = 1e-4, max = 1e-2, log = true}\n"
                           "fraction = [0.05, 0.3]\nbatch-size = {min = 2, max = 4}\n";
  const SweepPlan plan = Plan(toml);
  ASSERT_EQ(plan.settings.size(), 20u);
  size_t small = 0;
  for (const SweepSetting& setting : plan.settings) {
    const double lr = setting.varied["lr"];
    EXPECT_GE(lr, 1e-4);
    EXPECT_LE(lr, 1e-2);
    small += lr < 1e-3;
    EXPECT_GE(setting.varied["batch-size"].get<int64_t>(), 2);
    EXPECT_LE(setting.varied["batch-size"].get<int64_t>(), 4);
    EXPECT_TRUE(setting.varied["batch-size"].is_number_integer());
  }
  EXPECT_GT(small, 3u);  // half of them, as the logarithm says; evenly it would be one in eleven
  EXPECT_LT(small, 17u);
  EXPECT_EQ(Plan(toml).runs[7].hash, plan.runs[7].hash);
  EXPECT_NE(Plan("[sweep]\ndraws = 20\ndraw-seed = 1\n" + toml.substr(19)).runs[7].hash,
            plan.runs[7].hash);
}

TEST_F(SweepFileTest, NamesRunsByContent) {
  const std::string toml = Base() + ToySweep::Attack();
  const std::string hash = Plan(toml).runs[0].hash;
  // The same files at another place.
  const ToySweep other("sweep_file_elsewhere");
  WriteFile(other.file(), toml);
  const SweepFile file = ReadSweepFile(other.file(), other.out() / "models", {.device = "cpu"});
  SweepIdentities identities(file);
  EXPECT_EQ(MakeSweepPlan(file, identities).runs[0].hash, hash);
  // Another content at the same place.
  fs::remove(toy_.dir() / "retain.jsonl");
  WriteFile(toy_.dir() / "retain.jsonl",
            "{\"question\": \"Two and two?\", \"answer\": \"Four.\"}\n");
  EXPECT_NE(Plan(toml).runs[0].hash, hash);
}

TEST_F(SweepFileTest, RefusesWithThePlace) {
  const std::string place = toy_.file().string();
  EXPECT_THAT(Refusal("[swep]\nruns = 1\n"),
              AllOf(HasSubstr(place + ":1:2: unknown setting 'swep'"), HasSubstr("'sweep'")));
  EXPECT_THAT(Refusal("[sweep]\nrun = 1\n"),
              HasSubstr(":2:1: unknown setting 'run'; did you mean 'runs'"));
  EXPECT_THAT(Refusal("[sweep]\nruns = \"many\"\n" + Base()), HasSubstr(":2:1: runs is the text"));
  EXPECT_THAT(Refusal("[unlearn]\nfractoin = 1\n"), HasSubstr("did you mean 'fraction'"));
  EXPECT_THAT(Refusal("[unlearn]\nseed = 1\n"), HasSubstr("stand in [sweep]"));
  EXPECT_THAT(Refusal("[grid]\nlr = 1e-3\n"), HasSubstr(":2:1: lr is 0.001; a grid has a list"));
  EXPECT_THAT(Refusal("[grid]\nlr = [\"fast\"]\n"), HasSubstr(":2:1: lr is the text"));
  EXPECT_THAT(Refusal("[grid]\nlr = [1e-3, 1e-3]\n"), HasSubstr("stands twice"));
  EXPECT_THAT(Refusal("[grid]\nlr = {min = 1, max = 2}\n"), HasSubstr("draws in [sweep]"));
  EXPECT_THAT(Refusal("[sweep]\ndraws = 2\n[grid]\nlr = {min = 3, max = 2}\n"),
              HasSubstr("min <= max"));
  EXPECT_THAT(Refusal("[sweep]\ndraws = 2\n[grid]\nlocate = {min = 3, max = 2}\n"),
              HasSubstr("takes no numbers"));
  EXPECT_THAT(Refusal("[[method]]\nlr = 1\n"), HasSubstr(":1:1: [[method]] needs a name"));
  EXPECT_THAT(Refusal("[[method]]\nname = \"a\"\nlr = 1\n[method.grid]\nlr = [1]\n"),
              HasSubstr("lr stands in the method and in its grid"));
  EXPECT_THAT(Refusal("[[method]]\nname = \"a\"\n[[method]]\nname = \"a\"\n"),
              HasSubstr("two methods are named 'a'"));
  EXPECT_THAT(Refusal("[method]\nname = \"a\"\n"), HasSubstr("[[method]]"));
  EXPECT_THAT(Refusal("[[finetune]]\nname = \"a/b\"\n"), HasSubstr("becomes a folder's"));
  EXPECT_THAT(Refusal(ToySweep::Unlearn()), HasSubstr("nothing is measured"));
  EXPECT_THAT(Refusal("[eval]\nmodel = \"x\"\n"), HasSubstr("the unlearned model"));
  EXPECT_THAT(Refusal("[unlearn]\nmodel = \"before\"\n" + ToySweep::Eval()),
              HasSubstr("[unlearn] needs forget"));
  // Settings are tried before the first run.
  EXPECT_THAT(Refusal(Base() + "[grid]\nobjective = [\"npo\", \"npoo\"]\n"),
              AllOf(HasSubstr("objective = npoo"), HasSubstr("did you mean npo")));
  EXPECT_THAT(Refusal(Base() + "[grid]\nfraction = [0.1, 2]\n"), HasSubstr("--fraction is 2"));
  EXPECT_THAT(Refusal(Base() + "[attack]\nattacks = \"rounds\"\n"),
              HasSubstr("did you mean round"));
}

}  // namespace
}  // namespace grin
