#include "grin/base/atomic_file.h"

#include <gtest/gtest.h>

#include "grin/base/error.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

fs::path Fresh(const std::string& name) {
  const fs::path dir = fs::path(testing::TempDir()) / name;
  fs::remove_all(dir);
  fs::create_directories(dir);
  return dir;
}

int CountEntries(const fs::path& dir) {
  return static_cast<int>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const fs::path dir = Fresh("atomic_file");
  {
    AtomicFile abandoned(dir / "a");
    abandoned.Write("half");
    EXPECT_FALSE(fs::exists(dir / "a"));
  }
  EXPECT_EQ(CountEntries(dir), 0);
  WriteFile(dir / "a", "whole");
  EXPECT_EQ(ReadFile(dir / "a"), "whole");
  EXPECT_EQ(CountEntries(dir), 1);
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
  EXPECT_EQ(CountEntries(dir), 1);
}

TEST(AtomicFile, NamesTheFileThatCannotBeWritten) {
  try {
    WriteFile("/no/such/directory/x", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 3);
    EXPECT_NE(std::string(error.what()).find("/no/such/directory/x"), std::string::npos);
  }
}

}  // namespace
}  // namespace grin
