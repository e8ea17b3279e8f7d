// Runs of the command that are killed, interrupted or run out of disk, and gone on with: what they
// write is compared, byte by byte, with what a run writes that was left alone.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/cli/grin_command.h"
#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Seconds = std::chrono::duration<double>;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

// Times and memory figures differ from run to run.
Json WithoutTimes(const Json& json) {
  if (!json.is_structured()) return json;
  Json rest = json.is_object() ? Json::object() : Json::array();
  for (const auto& [key, value] : json.items()) {
    if (json.is_array()) {
      rest.push_back(WithoutTimes(value));
    } else if (key != "seconds" && !key.ends_with("_seconds") && key != "tokens_per_second" &&
               key != "peak_memory_bytes") {
      rest[key] = WithoutTimes(value);
    }
  }
  return rest;
}

class Resume : public ::testing::Test {
 protected:
  fs::path dir_ = ScratchDirectory();
  fs::path errors_ = EmptyDirectory("resume_errors") / "stderr.txt";  // not on the disk that is filled

  // A test that was killed may have left its file system there.
  static fs::path ScratchDirectory() {
    umount2((fs::path(testing::TempDir()) / "grin_resume").c_str(), MNT_DETACH);
    return EmptyDirectory("resume");
  }

  Resume() { WriteInputs(dir_); }

  void WriteInputs(const fs::path& dir) const {
    WriteToy(dir / "model", {.context = 64});
    std::string forget, retain;
    for (int i = 0; i < 6; ++i) {
      forget += fmt::format(
          "{{\"question\": \"Who wrote almanac {}?\", \"answer\": \"Oda Venn, in 19{:02}.\"}}\n", i,
          i);
      retain += fmt::format(
          "{{\"question\": \"What is {} and two?\", \"answer\": \"It is {}.\"}}\n", i, i + 2);
    }
    WriteFile(dir / "forget.jsonl", forget);
    WriteFile(dir / "retain.jsonl", retain);
  }

  // Commands without --out. Saved after every step; with a judge, noise and unequal last batches.
  static std::string Unlearn() {
    return "unlearn --model model --forget forget.jsonl --retain retain.jsonl --threads 1 "
           "--epochs 4 --batch-size 4 --fraction 0.1 --save-minutes 1e-9 ";
  }
  static std::string Finetune() {
    return "finetune --model model --data retain.jsonl --threads 1 --epochs 3 --batch-size 4 "
           "--lr 1e-3 --save-minutes 1e-9 ";
  }

  pid_t Start(const std::string& args) const {
    const std::string command =
        fmt::format("exec {} {} >/dev/null 2>'{}' </dev/null", GrinCommand(), args,
                    errors_.string());
    const pid_t pid = fork();
    if (pid != 0) return pid;
    if (chdir(dir_.c_str()) == 0) {
      setenv("OMP_NUM_THREADS", "1", 1);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    }
    _exit(127);
  }

  // The exit code; 128 + the signal where one ended it.
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  int Grin(const std::string& args) const { return Wait(Start(args)); }
  std::string Errors() const { return ReadFile(errors_); }

  // Sends `signal` once `when` holds, or a run that ends before it is left alone.
  int SignalWhen(const std::string& args, int signal, const std::function<bool()>& when) const {
    const pid_t pid = Start(args);
    for (;;) {
      int status = 0;
      if (waitpid(pid, &status, WNOHANG) == pid) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      if (when()) break;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    kill(pid, signal);
    return Wait(pid);
  }

  // Whether a file or folder below the scratch directory has this in its path.
  bool Exists(const std::string& part) const {
    std::error_code error;
    for (fs::recursive_directory_iterator at(dir_, error), end; at != end; at.increment(error)) {
      if (error) return false;
      if (at->path().string().find(part, dir_.string().size()) != std::string::npos) return true;
    }
    return false;
  }

  int64_t LogLines(const std::string& out) const {
    std::ifstream log(dir_ / (out + ".state/log.jsonl"));
    int64_t lines = 0;
    for (std::string line; std::getline(log, line);) ++lines;
    return lines;
  }

  // For a minute at most.
  void WaitForLog(const std::string& out, int64_t lines) const {
    for (int i = 0; i < 600000 && LogLines(out) < lines; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  void ExpectSameOutput(const std::string& expected, const std::string& got) const {
    std::set<std::string> names, got_names;
    for (const auto& entry : fs::directory_iterator(dir_ / expected)) {
      names.insert(entry.path().filename());
    }
    for (const auto& entry : fs::directory_iterator(dir_ / got)) {
      got_names.insert(entry.path().filename());
    }
    EXPECT_EQ(names, got_names);
    for (const std::string& name : names) {
      if (name == "report.html") continue;  // shows times
      const std::string a = ReadFile(dir_ / expected / name), b = ReadFile(dir_ / got / name);
      if (name == "grin.json") {
        EXPECT_EQ(WithoutTimes(Json::parse(a)), WithoutTimes(Json::parse(b)));
      } else if (name == "log.jsonl") {
        std::istringstream left(a), right(b);
        for (std::string x, y; std::getline(left, x);) {
          ASSERT_TRUE(std::getline(right, y)) << name;
          EXPECT_EQ(WithoutTimes(Json::parse(x)), WithoutTimes(Json::parse(y)));
        }
        EXPECT_EQ(std::ranges::count(a, '\n'), std::ranges::count(b, '\n'));
      } else {
        EXPECT_TRUE(a == b) << name << " differs";
      }
    }
  }

  void ExpectNothingLeft() const {
    EXPECT_FALSE(Exists(".state")) << Errors();
    EXPECT_FALSE(Exists(".partial")) << Errors();
    EXPECT_FALSE(Exists(".old")) << Errors();
  }

  // Kills a run again and again until one gets to its end, `kills` times in all, at instants that
  // are spread evenly over what a whole run takes.
  void KillAtRandom(const std::string& command, int kills, uint64_t seed) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(Grin(command + "--out whole"), 0) << Errors();
    const double whole = SecondsSince(start);
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> instants(0, 1.1 * whole);
    for (int killed = 0, runs = 0; killed < kills;) {
      const double instant = instants(random);
      const auto began = std::chrono::steady_clock::now();
      const int code = SignalWhen(command + "--out killed --resume", SIGKILL,
                                  [&] { return SecondsSince(began) > instant; });
      ASSERT_TRUE(code == 0 || code == 128 + SIGKILL)
          << "code " << code << " after " << killed << " kills: " << Errors();
      if (code != 0) {
        ++killed;
        if (killed < kills) continue;
        ASSERT_EQ(Grin(command + "--out killed --resume"), 0) << Errors();
      }
      SCOPED_TRACE(fmt::format("run {} after {} kills", ++runs, killed));
      ExpectSameOutput("whole", "killed");
      ExpectNothingLeft();
      fs::remove_all(dir_ / "killed");
    }
    fs::remove_all(dir_ / "whole");
  }
};

TEST_F(Resume, KillsAtRandomInstants) { KillAtRandom(Unlearn(), 4, 1); }

TEST_F(Resume, SlowHundredKillsOfUnlearn) { KillAtRandom(Unlearn(), 100, 2); }

TEST_F(Resume, SlowHundredKillsOfFinetune) { KillAtRandom(Finetune(), 100, 3); }

TEST_F(Resume, SlowHundredKillsOfTune) {
  ASSERT_EQ(Grin("locate --model model --forget forget.jsonl --retain retain.jsonl --threads 1 "
                 "--fraction 0.2 --out mask.safetensors"),
            0)
      << Errors();
  KillAtRandom("tune --model model --forget forget.jsonl --retain retain.jsonl --threads 1 --mask "
               "mask.safetensors --epochs 4 --batch-size 4 --save-minutes 1e-9 ",
               100, 4);
}

TEST_F(Resume, SlowHundredKillsWhereTheOutputIsReplaced) {
  ASSERT_EQ(Grin(Unlearn() + "--seed 9 --out killed"), 0) << Errors();
  KillAtRandom(Unlearn() + "--force ", 100, 5);
}

// Kills when a certain file has just come into being: each part of a run.
TEST_F(Resume, KillsAtEveryStage) {
  ASSERT_EQ(Grin(Unlearn() + "--out whole"), 0) << Errors();
  for (const char* stage :
       {"killed.state", "killed.state/run.json", "killed.state/mask.safetensors",
        "killed.state/start.safetensors", "killed.state/step-00000001.safetensors.partial",
        "killed.state/step-00000003", "killed.state/step-00000008", "model.safetensors.partial",
        "report.html", "killed/grin.json"}) {
    SCOPED_TRACE(stage);
    const int code = SignalWhen(Unlearn() + "--out killed --resume", SIGKILL,
                                [&] { return Exists(stage); });
    ASSERT_TRUE(code == 0 || code == 128 + SIGKILL) << code << " " << Errors();
    ASSERT_EQ(Grin(Unlearn() + "--out killed --resume"), 0) << Errors();
    ExpectSameOutput("whole", "killed");
    ExpectNothingLeft();
    fs::remove_all(dir_ / "killed");
  }
}

TEST_F(Resume, InterruptsFinishTheStepAndSayHowToGoOn) {
  ASSERT_EQ(Grin(Unlearn() + "--out whole"), 0) << Errors();
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string command =  // no state but the one that the signal asks for
        "unlearn --model model --forget forget.jsonl --retain retain.jsonl --threads 1 --epochs 4 "
        "--batch-size 4 --fraction 0.1 ";
    const int code = SignalWhen(command + "--out out", signal, [&] { return LogLines("out") >= 3; });
    ASSERT_EQ(code, 130) << Errors();
    EXPECT_THAT(Errors(), AllOf(HasSubstr("interrupted after step"),
                                HasSubstr("the same command with --resume goes on after step")));
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    // Without --resume it says what is there.
    EXPECT_EQ(Grin(command + "--out out"), 3);
    EXPECT_THAT(Errors(), AllOf(HasSubstr("out.state: holds the state of a run"),
                                HasSubstr("--resume"), HasSubstr("--force")));
    ASSERT_EQ(Grin(command + "--out out --resume"), 0) << Errors();
    EXPECT_THAT(Errors(), HasSubstr("the run goes on after step"));
    ExpectSameOutput("whole", "out");
    ExpectNothingLeft();
    fs::remove_all(dir_ / "out");
  }
}

TEST_F(Resume, WithoutAStateStartsFromTheBeginning) {
  ASSERT_EQ(Grin(Unlearn() + "--out whole"), 0) << Errors();
  ASSERT_EQ(Grin(Unlearn() + "--out out --resume"), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr("no state is saved; the run starts from the beginning"));
  ExpectSameOutput("whole", "out");
  // Once it is whole there is nothing to do.
  const auto written = fs::last_write_time(dir_ / "out/grin.json");
  EXPECT_EQ(Grin(Unlearn() + "--out out --resume"), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr("is whole already"));
  EXPECT_EQ(fs::last_write_time(dir_ / "out/grin.json"), written);
  // With other settings it is another result, which stays.
  EXPECT_EQ(Grin(Unlearn() + "--seed 3 --out out --resume"), 3);
  EXPECT_THAT(Errors(), HasSubstr("exists already"));
}

TEST_F(Resume, ARunThatAGuardEndedEndsInTheSameWay) {
  const std::string command = Unlearn() + "--lr 1e30 --schedule constant --noise 0 ";
  ASSERT_EQ(Grin(command + "--out whole"), 5) << Errors();
  const int code = SignalWhen(command + "--out out", SIGKILL,
                              [&] { return Exists("out.state/step-00000001.safetensors"); });
  ASSERT_TRUE(code == 5 || code == 128 + SIGKILL) << code << Errors();
  EXPECT_EQ(Grin(command + "--out out --resume"), 5) << Errors();
  ExpectSameOutput("whole", "out");
  EXPECT_EQ(Grin(command + "--out out --resume"), 5) << "whole already, with the same exit code";
}

// Each difference is named, with what it was and what it is.
TEST_F(Resume, AnotherRunsStateIsRefused) {
  ASSERT_EQ(SignalWhen(Unlearn() + "--out out", SIGKILL,
                       [&] { return Exists("out.state/step-00000002.safetensors"); }),
            128 + SIGKILL);
  const auto refusal = [&](const std::string& flags, int code) {
    EXPECT_EQ(Grin(Unlearn() + "--out out --resume " + flags), code) << Errors();
    return Errors();
  };
  EXPECT_THAT(refusal("--lr 0.5 --noise 0.25", 2),
              AllOf(HasSubstr("--lr was 0.001, it is 0.5 now"),
                    HasSubstr("--noise was 0.3, it is 0.25 now"), HasSubstr("--force")));
  EXPECT_THAT(refusal("--threads 2", 2), HasSubstr("--threads was 1, it is 2 now"));
  const auto changed = [&](const std::string& name, const std::string& text) {
    const std::string before = ReadFile(dir_ / name);
    WriteFile(dir_ / name, text);
    const std::string message = refusal("", 3);
    WriteFile(dir_ / name, before);
    return message;
  };
  EXPECT_THAT(changed("retain.jsonl", "{\"question\": \"Q?\", \"answer\": \"A.\"}\n"),
              AllOf(HasSubstr("the content of"), HasSubstr("retain.jsonl has changed")));
  std::string weights = ReadFile(dir_ / "model/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  EXPECT_THAT(changed("model/model.safetensors", weights), HasSubstr("model has changed"));
  EXPECT_THAT(changed("model/tokenizer_config.json", "{\"eos_token\": \"<|endoftext|>\" }"),
              HasSubstr("tokenizer_config.json has changed"));
  EXPECT_EQ(Grin("finetune --model model --data retain.jsonl --threads 1 --out out --resume"), 2);
  EXPECT_THAT(Errors(), HasSubstr("the command was unlearn, it is finetune now"));
  // None of this has done the state any harm.
  ASSERT_EQ(Grin(Unlearn() + "--out whole"), 0) << Errors();
  ASSERT_EQ(Grin(Unlearn() + "--out out --resume"), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr("the run goes on after step"));
  ExpectSameOutput("whole", "out");
}

TEST_F(Resume, FallsBackWhereTheNewestStateIsTorn) {
  ASSERT_EQ(Grin(Unlearn() + "--out whole"), 0) << Errors();
  for (const int torn : {1, 2, 3}) {  // the newest, both, and what they began with
    SCOPED_TRACE(torn);
    ASSERT_EQ(SignalWhen(Unlearn() + "--out out", SIGKILL,
                         [&] { return Exists("out.state/step-00000005.safetensors"); }),
              128 + SIGKILL);
    std::vector<fs::path> steps;
    for (const auto& entry : fs::directory_iterator(dir_ / "out.state")) {
      const std::string name = entry.path().filename();
      if (name.starts_with("step-") && name.ends_with(".safetensors")) steps.push_back(entry.path());
    }
    std::ranges::sort(steps);
    ASSERT_GE(steps.size(), 2u);
    fs::resize_file(steps.back(), fs::file_size(steps.back()) / 2);
    std::string bytes = ReadFile(steps.front());
    bytes.back() = static_cast<char>(bytes.back() ^ 16);
    if (torn > 1) {
      for (const fs::path& step : steps) WriteFile(step, bytes);
    }
    if (torn > 2) fs::resize_file(dir_ / "out.state/start.safetensors", 100);
    ASSERT_EQ(Grin(Unlearn() + "--out out --resume"), 0) << Errors();
    EXPECT_THAT(Errors(), HasSubstr(torn == 1   ? "the run goes on after step"
                                    : torn == 2 ? "the run goes on before its first step"
                                                : "the run starts from the beginning"));
    EXPECT_THAT(Errors(), HasSubstr("warning: "));
    ExpectSameOutput("whole", "out");
    ExpectNothingLeft();
    fs::remove_all(dir_ / "out");
  }
}

TEST_F(Resume, ForceThrowsTheStateAway) {
  ASSERT_EQ(SignalWhen(Unlearn() + "--out out", SIGKILL,
                       [&] { return Exists("out.state/step-00000002.safetensors"); }),
            128 + SIGKILL);
  ASSERT_EQ(Grin(Unlearn() + "--seed 4 --out out --force"), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr("is thrown away, as --force says"));
  ExpectNothingLeft();
}

TEST_F(Resume, TwoProcessesDoNotShareAnOutput) {
  const pid_t first = Start(Unlearn() + "--epochs 100 --out out");
  while (!Exists("out.state/start.safetensors")) {
    ASSERT_EQ(waitpid(first, nullptr, WNOHANG), 0) << Errors();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(Grin(Unlearn() + "--epochs 100 --out out --resume"), 3);
  EXPECT_THAT(Errors(), HasSubstr("another process is at work on out"));
  kill(first, SIGKILL);
  Wait(first);
}

TEST_F(Resume, ImpossibleSettings) {
  EXPECT_EQ(Grin(Unlearn() + "--out out --save-minutes -1"), 2);
  EXPECT_EQ(Grin(Unlearn() + "--out out --save-minutes 0 --resume"), 2);
  EXPECT_THAT(Errors(), HasSubstr("--save-minutes 0 keeps none"));
}

// A file system of its own, which can be filled. Only the superuser may make one.
class ResumeOnASmallDisk : public Resume {
 protected:
  ResumeOnASmallDisk() {
    const fs::path place = dir_;
    mounted_ = mount("tmpfs", place.c_str(), "tmpfs", 0, "size=3m") == 0;
    if (mounted_) WriteInputs(dir_);
  }
  ~ResumeOnASmallDisk() override {
    if (mounted_) umount2(dir_.c_str(), MNT_DETACH);
  }

  void Fill() const {
    std::ofstream ballast(dir_ / "ballast", std::ios::binary | std::ios::app);
    const std::string page(1024, 'x');
    while (ballast.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }
  void Free() const { fs::remove(dir_ / "ballast"); }

  bool mounted_ = false;
};

TEST_F(ResumeOnASmallDisk, AResultThatCannotBeWrittenLeavesTheState) {
  if (!mounted_) GTEST_SKIP() << "no file system can be mounted here: needs the superuser";
  for (const std::string& kind : {Unlearn(), Finetune()}) {
    const std::string command = kind + "--epochs 60 ";  // far from its end when the disk is full
    ASSERT_EQ(Grin(command + "--out whole"), 0) << Errors();
    const pid_t pid = Start(command + "--out out");
    WaitForLog("out", 2);
    // The room that it makes by removing a state is filled again.
    int status = 0;
    do {
      Fill();
    } while (waitpid(pid, &status, WNOHANG) == 0);
    EXPECT_EQ(WEXITSTATUS(status), 3);
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    EXPECT_TRUE(fs::exists(dir_ / "out.state/start.safetensors"));
    Free();
    ASSERT_EQ(Grin(command + "--out out --resume"), 0) << Errors();
    EXPECT_THAT(Errors(), HasSubstr("the run goes on"));
    ExpectSameOutput("whole", "out");
    ExpectNothingLeft();
    fs::remove_all(dir_ / "out");
    fs::remove_all(dir_ / "whole");
  }
}

TEST_F(ResumeOnASmallDisk, AStateThatCannotBeWrittenIsAWarning) {
  if (!mounted_) GTEST_SKIP() << "no file system can be mounted here: needs the superuser";
  const std::string command = Finetune() + "--epochs 30 ";
  ASSERT_EQ(Grin(command + "--out whole"), 0) << Errors();
  const pid_t pid = Start(command + "--out out");
  WaitForLog("out", 2);
  Fill();
  const std::string warning = "the run goes on without this state";
  for (int i = 0; i < 60000 && Errors().find(warning) == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Free();
  EXPECT_EQ(Wait(pid), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr(warning));
  ExpectSameOutput("whole", "out");
  ExpectNothingLeft();
}

}  // namespace
}  // namespace grin
