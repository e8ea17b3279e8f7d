#include "grin/base/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include "grin/base/error.h"
#include "grin/base/reservation.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

fs::path Fresh(const std::string& name) {
  const fs::path dir = fs::path(testing::TempDir()) / name;
  fs::remove_all(dir);
  fs::create_directories(dir);
  return dir;
}

std::set<std::string> Entries(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

// The message of the Error of class bad input that `work` throws.
template <typename Work>
std::string WriteRefusal(Work work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 3);
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const fs::path dir = Fresh("atomic_file");
  {
    AtomicFile abandoned(dir / "a");
    abandoned.Write("half");
    EXPECT_FALSE(fs::exists(dir / "a"));
  }
  EXPECT_TRUE(Entries(dir).empty());
  WriteFile(dir / "a", "whole");
  EXPECT_EQ(ReadFile(dir / "a"), "whole");
  EXPECT_EQ(Entries(dir), std::set<std::string>{"a"});
}

TEST(AtomicDirectory, RefusesToReplaceUnlessForced) {
  const fs::path dir = Fresh("atomic_directory");
  {
    AtomicDirectory first(dir / "out", false);
    WriteFile(first.path() / "x", "1");
    first.Commit();
  }
  EXPECT_THROW(AtomicDirectory(dir / "out", false), Error);
  {
    AtomicDirectory abandoned(dir / "out", true);
    WriteFile(abandoned.path() / "x", "2");
  }
  EXPECT_EQ(ReadFile(dir / "out" / "x"), "1");
  {
    AtomicDirectory second(dir / "out/", true);
    WriteFile(second.path() / "x", "3");
    second.Commit();
  }
  EXPECT_EQ(ReadFile(dir / "out" / "x"), "3");
  EXPECT_EQ(Entries(dir), std::set<std::string>{"out"});
}

TEST(AtomicDirectory, ReplacesAFile) {
  const fs::path dir = Fresh("atomic_directory_for_file");
  WriteFile(dir / "out", "a file");
  AtomicDirectory directory(dir / "out", true);
  WriteFile(directory.path() / "x", "1");
  directory.Commit();
  EXPECT_EQ(ReadFile(dir / "out" / "x"), "1");
  EXPECT_EQ(Entries(dir), std::set<std::string>{"out"});
}

// What no rename could do at the end is refused at the beginning.
TEST(AtomicFile, RefusesPlacesThatCannotBe) {
  const fs::path dir = Fresh("atomic_places");
  WriteFile(dir / "file", "");
  fs::create_directory(dir / "folder");
  for (const bool directory : {false, true}) {
    const auto refusal = [&](const fs::path& path) {
      return WriteRefusal([&] { Reservation(path, directory); });
    };
    EXPECT_THAT(refusal(dir / "file/below"), HasSubstr("file/below: cannot be written"));
    EXPECT_THAT(refusal(dir / "file/deep/below"), HasSubstr("deep/below: cannot be written"));
    EXPECT_THAT(refusal(dir / std::string(300, 'n')), HasSubstr("name too long"));
    EXPECT_THAT(refusal("/proc"), HasSubstr("mount point"));
    refusal("/proc/none/x");
    refusal("");
  }
  EXPECT_THAT(WriteRefusal([&] { AtomicFile file(dir / "folder"); }), HasSubstr("is a folder"));
  EXPECT_THAT(WriteRefusal([&] { AtomicFile file("/dev/null"); }), HasSubstr("device"));
  EXPECT_EQ(Entries(dir), (std::set<std::string>{"file", "folder"}));
}

TEST(AtomicFile, TakesEveryNameThatTheFileSystemTakes) {
  const fs::path dir = Fresh("atomic_names");
  std::string euros;
  for (int i = 0; i < 85; ++i) euros += "€";
  for (const std::string& name : {std::string(250, 'n'), std::string(255, 'n'), euros}) {
    WriteFile(dir / name, "whole");
    EXPECT_EQ(ReadFile(dir / name), "whole");
    fs::remove(dir / name);
    AtomicDirectory directory(dir / name, false);
    WriteFile(directory.path() / "x", "1");
    directory.Commit();
    EXPECT_EQ(ReadFile(dir / name / "x"), "1");
  }
  EXPECT_EQ(Entries(dir).size(), 3u);
}

TEST(Reservation, MakesMissingFoldersAndTakesThemBack) {
  const fs::path dir = Fresh("reservation_folders");
  {
    const Reservation place(dir / "a/b/out", true);
    EXPECT_TRUE(fs::is_directory(place.partial()));
  }
  EXPECT_TRUE(Entries(dir).empty());
  WriteFile(dir / "a/b/file", "whole");
  EXPECT_EQ(ReadFile(dir / "a/b/file"), "whole");
}

// What processes that were killed left: one while it wrote, one between the two renames that replace
// a folder where the file system cannot exchange two names.
TEST(Reservation, RemovesWhatDeadProcessesLeft) {
  const fs::path dir = Fresh("reservation_left");
  for (const char* name : {"out.partial-0123abcd", "out.old-0123abcd", "other.partial-0123abcd"}) {
    fs::create_directory(dir / name);
    WriteFile(dir / name / "x", name);
  }
  WriteFile(dir / "out.partial-01234567", "a file");
  WriteFile(dir / "out.partial", "of an evaluation that can go on");
  { const Reservation place(dir / "out", true); }
  // `out` was missing: the one that was to be replaced is back.
  EXPECT_EQ(ReadFile(dir / "out/x"), "out.old-0123abcd");
  EXPECT_EQ(Entries(dir), (std::set<std::string>{"out", "out.partial", "other.partial-0123abcd"}));
  fs::create_directory(dir / "out.old-0123abcd");
  { const Reservation place(dir / "out", true); }
  EXPECT_FALSE(fs::exists(dir / "out.old-0123abcd")) << "where `out` stands it is of no more use";
}

TEST(Reservation, LeavesAloneWhatIsInUse) {
  const fs::path dir = Fresh("reservation_used");
  AtomicFile first(dir / "out");
  first.Write("first");
  AtomicFile second(dir / "out");
  second.Write("second");
  second.Commit();
  first.Commit();
  EXPECT_EQ(ReadFile(dir / "out"), "first");
}

// Killed at any instant, a process that replaces a folder again and again leaves a whole one.
TEST(AtomicDirectory, IsWholeWheneverItsMakerIsKilled) {
  const fs::path dir = Fresh("atomic_killed");
  const auto write = [&](int version) {
    AtomicDirectory directory(dir / "out", true);
    for (const char* name : {"a", "b", "c"}) {
      WriteFile(directory.path() / name, std::to_string(version));
    }
    directory.Commit();
  };
  write(-1);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (int version = 0;; ++version) write(version);
    }
    ASSERT_GT(child, 0);
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 331 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::string version = ReadFile(dir / "out/a");
    EXPECT_EQ(ReadFile(dir / "out/b"), version);
    EXPECT_EQ(ReadFile(dir / "out/c"), version);
  }
  write(-2);
  EXPECT_EQ(Entries(dir), std::set<std::string>{"out"});
}

}  // namespace
}  // namespace grin
