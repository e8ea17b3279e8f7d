// Runs of the command as two and four processes: what they write is compared, byte by byte, with what
// one process writes; and what is left when one of them dies.

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "tests/cli/several_processes.h"
#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

// What does not depend on the machine and the moment.
Json OfTheRun(const Json& json) {
  if (!json.is_structured()) return json;
  Json rest = json.is_object() ? Json::object() : Json::array();
  for (const auto& [key, value] : json.items()) {
    if (json.is_array()) {
      rest.push_back(OfTheRun(value));
    } else if (key != "seconds" && key != "tokens_per_second" && key != "peak_memory_bytes") {
      rest[key] = OfTheRun(value);
    }
  }
  return rest;
}

std::vector<Json> LogIn(const fs::path& out) {
  std::istringstream lines(ReadFile(out / "log.jsonl"));
  std::vector<Json> log;
  for (std::string line; std::getline(lines, line);) log.push_back(OfTheRun(Json::parse(line)));
  return log;
}

class RanksOfTheCommand : public ::testing::Test {
 protected:
  fs::path dir_ = EmptyDirectory("ranks");

  RanksOfTheCommand() {
    WriteToy(dir_ / "model", {.context = 64});
    std::string forget, retain;
    for (int i = 0; i < 13; ++i) {  // of unequal lengths
      forget += fmt::format(
          "{{\"question\": \"Who wrote almanac {}?\", \"answer\": \"Oda Venn{}, in 19{:02}.\"}}\n", i,
          std::string(i, 'n'), i);
      retain += fmt::format("{{\"question\": \"What is {} and two?\", \"answer\": \"It is {}.\"}}\n",
                            std::string(1 + i / 2, '9'), i + 2);
    }
    WriteFile(dir_ / "forget.jsonl", forget);
    WriteFile(dir_ / "retain.jsonl", retain);
  }

  static std::string Sets() { return "--forget forget.jsonl --retain retain.jsonl --threads 1 "; }
  static std::string UnlearnToy() {
    return "unlearn --model model " + Sets() + "--epochs 3 --batch-size 5 --fraction 0.1 ";
  }

  // All ranks end well and only the first says anything.
  void Run(int world, const std::string& args) {
    SeveralProcesses run(dir_, world, {args});
    ASSERT_THAT(run.Wait(), Each(0)) << run.AllErrors();
    EXPECT_EQ(run.OthersErrors(), "");
  }

  void ExpectSameBits(const std::string& a, const std::string& b) const {
    for (const char* name : {"model.safetensors", "mask.safetensors"}) {
      EXPECT_TRUE(ReadFile(dir_ / a / name) == ReadFile(dir_ / b / name)) << name << " of " << b;
    }
    EXPECT_EQ(LogIn(dir_ / a), LogIn(dir_ / b)) << b;
  }

  void ExpectNoOutput() const {
    for (const auto& entry : fs::directory_iterator(dir_)) {
      const std::string name = entry.path().filename();
      EXPECT_NE(name, "out");
      EXPECT_EQ(name.find(".partial"), std::string::npos) << name;
    }
  }
};

TEST_F(RanksOfTheCommand, MasksAreTheSameBitForBit) {
  for (const std::string& flags :
       {std::string(), std::string("--statistic rms"), std::string("--locate snip --scope +embeddings"),
        std::string("--scope '*mlp*,lm_head.weight' --statistic abs"),
        std::string("--locate ssd --memory-budget 400M")}) {
    SCOPED_TRACE(flags);
    for (const int world : {1, 2, 4}) {
      Run(world, fmt::format("locate --model model {} --deterministic --fraction 0.2 {} --out mask{} --force",
                             Sets(), flags, world));
    }
    EXPECT_TRUE(ReadFile(dir_ / "mask1") == ReadFile(dir_ / "mask2")) << "of 2";
    EXPECT_TRUE(ReadFile(dir_ / "mask1") == ReadFile(dir_ / "mask4")) << "of 4";
  }
}

TEST_F(RanksOfTheCommand, WeightsAreTheSameBitForBit) {
  for (const std::string& flags :
       {std::string(), std::string("--accumulate 2 --retain-loss kl --forget-tokens learned"),
        std::string("--objective rmu --scope '*.0.mlp*'"),
        std::string("--rehearse 2 --rehearse-lr 0.01 --surgery pcgrad --rehearse-every 2")}) {
    SCOPED_TRACE(flags);
    for (const int world : {1, 2, 4}) {
      Run(world, UnlearnToy() + "--deterministic " + flags +
                     fmt::format(" --force --out out{}", world));
    }
    ExpectSameBits("out1", "out2");
    ExpectSameBits("out1", "out4");
  }
}

TEST_F(RanksOfTheCommand, OneProcessIsWhatItWas) {
  Run(1, UnlearnToy() + "--out plain");
  const Json document = Json::parse(ReadFile(dir_ / "plain/grin.json"));
  EXPECT_FALSE(document.at("cost").contains("bytes_sent"));
}

// Without --deterministic sums are rounded in other places. Losses are sums of the same numbers in
// float64; a gradient's norm is one of sums in fp32, whose order differs: of T terms at most T 2^-24 of
// the terms' magnitudes, here far below 1e-4 of the norm.
TEST_F(RanksOfTheCommand, WithoutFixedPartsTheFirstStepAgrees) {
  Run(1, UnlearnToy() + "--out out1");
  const Json first = LogIn(dir_ / "out1")[0];
  Run(1, "locate --model model " + Sets() + "--fraction 0.1 --out mask");
  const std::string tune = "tune --model model --mask mask " + Sets() + "--steps 2 --batch-size 5 ";
  for (const int world : {1, 2, 3, 4}) Run(world, tune + fmt::format("--out tuned{}", world));
  const Json one = LogIn(dir_ / "tuned1")[0];
  for (const int world : {2, 3, 4}) {
    const Json many = LogIn(dir_ / fmt::format("tuned{}", world))[0];
    for (const char* loss : {"forget_loss", "retain_loss"}) {
      const double expected = one.at(loss);
      EXPECT_NEAR(many.at(loss), expected, 1e-12 * std::fabs(expected) + 1e-14) << loss;
    }
    const double norm = one.at("gradient_norm");
    EXPECT_NEAR(many.at("gradient_norm"), norm, 1e-4 * norm);
  }
  Run(2, tune + "--reduce bf16 --out narrow");
  const double norm = one.at("gradient_norm");
  // Each number is off by 2^-8 at most when it is sent, and when its sum is.
  EXPECT_NEAR(LogIn(dir_ / "narrow")[0].at("gradient_norm"), norm, 2.0 / 256 * 1.5 * norm);
}

// A ring's worth of the selected gradients travels, and beside it what does not grow with them.
TEST_F(RanksOfTheCommand, OnlySelectedGradientsTravel) {
  const auto sent = [&](int world, const std::string& flags, int steps) {
    Run(world, "tune --model model " + Sets() + flags + " --keep last --batch-size 4 --force --out out " +
                   fmt::format("--steps {}", steps));
    return Json::parse(ReadFile(dir_ / "out/grin.json")).at("cost").at("bytes_sent").get<int64_t>();
  };
  Run(1, "locate --model model " + Sets() + "--fraction 0.5 --out mask");
  Run(1, "inspect mask --json");
  const Json mask = Json::parse(ReadFile(dir_ / "stdout.0"));
  const int64_t selected = mask.at("selected");
  for (const int world : {2, 4}) {
    const int64_t more = 10;
    const auto per_step = [&](const std::string& flags) {
      return static_cast<double>(sent(world, flags, 2 + more) - sent(world, flags, 2)) / more;
    };
    const double ring = 2.0 * (world - 1) / world * static_cast<double>(selected);
    // Four doubles and a flag a step, and what fills pieces up to the same size.
    const double beside = world * 64.0;
    EXPECT_NEAR(per_step("--mask mask"), 4 * ring, beside);
    EXPECT_NEAR(per_step("--mask mask --reduce bf16"), 2 * ring, beside);
  }
}

TEST_F(RanksOfTheCommand, AStoppedRunGoesOnWithAnotherNumber) {
  const std::string command = UnlearnToy() + "--deterministic --save-minutes 1e-9 ";
  Run(1, command + "--out whole");
  SeveralProcesses run(dir_, 4, {command + "--epochs 20 --out out"});
  const fs::path log = dir_ / "out.state/log.jsonl";
  for (int i = 0; i < 60000 && (!fs::exists(log) || fs::file_size(log) == 0); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  run.Signal(2, SIGINT);  // any one of them
  EXPECT_THAT(run.Wait(), Each(130)) << run.AllErrors();
  EXPECT_THAT(run.AllErrors(), AllOf(HasSubstr("interrupted after step"),
                                     HasSubstr("the same command with --resume goes on after step")));
  ExpectNoOutput();
  // The whole of it, by one process and by a run that was interrupted and changes hands.
  Run(1, command + "--epochs 20 --out alone");
  Run(2, command + "--epochs 20 --out out --resume");
  ExpectSameBits("alone", "out");
  EXPECT_FALSE(fs::exists(dir_ / "out.state"));
  // Whole already: nothing is to be done, on any rank.
  Run(4, command + "--epochs 20 --out out --resume");
}

// Whichever dies, and whenever: the others end within ten seconds, one of them says why, and nothing
// half-written is left.
TEST_F(RanksOfTheCommand, AKilledRankEndsAll) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 3; ++trial) {
    const int victim = trial == 0 ? 0 : static_cast<int>(random() % 4);
    fs::remove_all(dir_ / "out.state");
    SeveralProcesses run(dir_, 4, {UnlearnToy() + "--epochs 100000 --out out --force"});
    const fs::path log = dir_ / "out.state/log.jsonl";
    for (int i = 0; i < 60000 && (!fs::exists(log) || fs::file_size(log) == 0); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    run.Signal(victim, SIGKILL);
    const std::vector<int> codes = run.WaitFor(10);
    for (int rank = 0; rank < 4; ++rank) {
      EXPECT_EQ(codes[rank], rank == victim ? 128 + SIGKILL : 130) << rank;
    }
    const std::string errors = run.AllErrors();
    const std::string told = fmt::format("rank {} of 4", victim);
    EXPECT_NE(errors.find(told), std::string::npos) << errors;
    EXPECT_EQ(errors.find("error: ", errors.find("error: ") + 1), std::string::npos) << errors;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    if (victim != 0) ExpectNoOutput();
  }
}

TEST_F(RanksOfTheCommand, ARankThatHangsEndsAll) {
  SeveralProcesses run(dir_, 2, {UnlearnToy() + "--epochs 100000 --out out"});
  const fs::path log = dir_ / "out.state/log.jsonl";
  for (int i = 0; i < 60000 && (!fs::exists(log) || fs::file_size(log) == 0); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  run.Signal(1, SIGSTOP);
  EXPECT_EQ(run.WaitFor(10)[0], 130) << run.AllErrors();
  EXPECT_THAT(run.Errors(0), HasSubstr("rank 1 of 2"));
  ExpectNoOutput();
}

TEST_F(RanksOfTheCommand, ErrorsAreToldOnce) {
  fs::create_directories(dir_ / "other");
  WriteFile(dir_ / "other/retain.jsonl", "{\"question\": \"Q?\", \"answer\": \"A.\"}\n");
  const auto fails = [&](int world, std::vector<std::string> args, int code) {
    SeveralProcesses run(dir_, world, std::move(args));
    EXPECT_THAT(run.WaitFor(60), Each(code)) << run.AllErrors();
    const std::string errors = run.AllErrors();
    EXPECT_NE(errors.find("error: "), std::string::npos) << errors;
    EXPECT_EQ(errors.find("error: ", errors.find("error: ") + 1), std::string::npos) << errors;
    ExpectNoOutput();
    return errors;
  };
  // On all of them, before and after they have met.
  EXPECT_THAT(fails(2, {"unlearn --fractoin 1"}, 2), HasSubstr("did you mean --fraction?"));
  EXPECT_THAT(fails(2, {UnlearnToy() + "--lr -1 --out out"}, 2), HasSubstr("--lr is -1"));
  EXPECT_THAT(fails(3, {UnlearnToy() + "--deterministic --out out"}, 2),
              HasSubstr("--deterministic is for 1, 2, 4 or 8 processes, and these are 3"));
  EXPECT_THAT(fails(2, {"mask stats mask"}, 2), HasSubstr("grin mask is done by one process"));
  EXPECT_THAT(fails(2, {UnlearnToy() + "--reduce fp8 --out out"}, 2), HasSubstr("--reduce 'fp8'"));
  // On one.
  EXPECT_THAT(fails(2, {UnlearnToy() + "--out out", UnlearnToy() + "--retain missing.jsonl --out out"}, 3),
              AllOf(HasSubstr("missing.jsonl"), HasSubstr("rank 1 of 2")));
  EXPECT_THAT(fails(2, {UnlearnToy() + "--out out", UnlearnToy() + "--seed 4 --out out"}, 2),
              AllOf(HasSubstr("rank 1 was given other settings"), HasSubstr("--seed was 0, it is 4")));
  // And a guard's, after the output is written.
  SeveralProcesses run(dir_, 2, {UnlearnToy() + "--lr 1e30 --schedule constant --noise 0 --out guarded"});
  EXPECT_THAT(run.Wait(), Each(5)) << run.AllErrors();
  EXPECT_TRUE(fs::exists(dir_ / "guarded/grin.json"));
}

// Twelve runs a rank: slow.
TEST_F(RanksOfTheCommand, SlowFiftyRandomKills) {
  std::mt19937_64 random(11);
  const std::string command = UnlearnToy() + "--deterministic --save-minutes 1e-9 --epochs 12 ";
  Run(1, command + "--out whole");
  int killed = 0;
  for (int trial = 0; trial < 50; ++trial) {
    const int world = 2 + 2 * static_cast<int>(random() % 2);
    const int victim = static_cast<int>(random() % world);
    SeveralProcesses run(dir_, world, {command + "--out out --resume"});
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 2500));
    run.Signal(victim, SIGKILL);
    const std::vector<int> codes = run.WaitFor(130);  // before all have met they wait for two minutes
    ASSERT_EQ(std::ranges::count(codes, -1), 0) << run.AllErrors();
    killed += codes[victim] == 128 + SIGKILL;
  }
  EXPECT_GT(killed, 20);
  Run(2, command + "--out out --resume");
  ExpectSameBits("whole", "out");
}

}  // namespace
}  // namespace grin
