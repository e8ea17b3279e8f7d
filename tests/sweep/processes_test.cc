// Sweeps that are killed, and several processes on one folder.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/sweep/toy_sweep.h"

namespace grin {
namespace {

using testing::SizeIs;

// Starts the command on the sweep.
pid_t Start(const ToySweep& toy) {
  const std::string command = fs::absolute(GRIN_BINARY_DIR "/grin").string();
  const std::string file = toy.file().string(), out = toy.out().string();
  const pid_t process = fork();
  if (process == 0) {
    execl(command.c_str(), "grin", "sweep", file.c_str(), "--out", out.c_str(), "--threads", "1",
          "--quiet", static_cast<char*>(nullptr));
    _exit(127);
  }
  return process;
}

int ExitCode(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Json TableOf(const ToySweep& toy) {
  return WithoutTimes(Json::parse(ReadFile(toy.out() / "table.json")));
}

// Four runs, with a model that is made first.
std::string MadeModel() {
  std::string toml = ToySweep::Small();
  toml.replace(toml.find("\"before\""), 8, "\"full\"");
  return "[[finetune]]\nname = \"full\"\nmodel = \"before\"\ndata = \"retain.jsonl\"\nsteps = 2\n"
         "device = \"cpu\"\n" +
         toml;
}

TEST(SweepProcesses, GoOnAfterAKill) {
  const ToySweep whole("sweep_whole"), killed("sweep_killed");
  WriteFile(whole.file(), MadeModel());
  WriteFile(killed.file(), MadeModel());
  ASSERT_EQ(ExitCode(Start(whole)), 0);
  // At different instants: by time, and once a run is done.
  for (const int milliseconds : {300, 700, 1100}) {
    const pid_t process = Start(killed);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    kill(process, SIGKILL);
    ExitCode(process);
  }
  const size_t before = killed.Runs().size();
  const pid_t process = Start(killed);
  while (killed.Runs().size() <= before && kill(process, 0) == 0 &&
         waitpid(process, nullptr, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(process, SIGKILL);
  ExitCode(process);
  const auto done = killed.Runs();
  ASSERT_EQ(ExitCode(Start(killed)), 0);
  for (const auto& [name, time] : done) EXPECT_EQ(killed.Runs()[name], time) << name;
  EXPECT_EQ(TableOf(killed), TableOf(whole));
  EXPECT_TRUE(fs::is_empty(killed.out() / "work"));
}

TEST(SweepProcesses, ShareOneFolder) {
  const ToySweep alone("sweep_alone"), shared("sweep_shared");
  WriteFile(alone.file(), MadeModel());
  WriteFile(shared.file(), MadeModel());
  ASSERT_EQ(ExitCode(Start(alone)), 0);
  const pid_t first = Start(shared), second = Start(shared);
  EXPECT_EQ(ExitCode(first), 0);
  EXPECT_EQ(ExitCode(second), 0);
  EXPECT_THAT(shared.Runs(), SizeIs(4));
  EXPECT_EQ(TableOf(shared), TableOf(alone));

  // The report of it.
  const std::string report =
      fmt::format("'{}' report '{}' --out '{}' --quiet > '{}'",
                  fs::absolute(GRIN_BINARY_DIR "/grin").string(), shared.out().string(),
                  (shared.dir() / "page.html").string(), (shared.dir() / "printed.md").string());
  ASSERT_EQ(std::system(report.c_str()), 0);
  EXPECT_EQ(ReadFile(shared.dir() / "printed.md"), ReadFile(shared.out() / "table.md"));
  EXPECT_THAT(ReadFile(shared.dir() / "page.html"), testing::HasSubstr("Left after attacks"));
}

TEST(SweepProcesses, SayHowToGoOnWhenTheyAreInterrupted) {
  const ToySweep toy("sweep_interrupted");
  WriteFile(toy.file(), ToySweep::Small());
  const std::string command = fmt::format(
      "'{}' sweep '{}' --out '{}' --threads 1 2> '{}' & p=$!; "
      "while [ -z \"$(ls '{}/runs' 2>/dev/null)\" ]; do sleep 0.01; done; kill -TERM $p; wait $p",
      fs::absolute(GRIN_BINARY_DIR "/grin").string(), toy.file().string(), toy.out().string(),
      (toy.dir() / "messages").string(), toy.out().string());
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_THAT(ReadFile(toy.dir() / "messages"),
              testing::HasSubstr("the same command goes on after"));
}

}  // namespace
}  // namespace grin
