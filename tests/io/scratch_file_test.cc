#include "grin/io/scratch_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "grin/base/error.h"

namespace grin {
namespace {

TEST(ScratchFile, KeepsWhatIsWrittenThoughItsPagesAreReleased) {
  std::shared_ptr<std::byte> first, second;
  {
    ScratchFile file;
    first = file.Take(5);
    second = file.Take(100000);
  }
  EXPECT_EQ(static_cast<int>(first.get()[4]), 0);
  std::memset(second.get(), 7, 100000);
  first.get()[4] = std::byte{3};
  ReleasePages(second.get(), 100000);
  ReleasePages(first.get(), 5);
  EXPECT_EQ(static_cast<int>(second.get()[99999]), 7);
  EXPECT_EQ(static_cast<int>(first.get()[4]), 3);
}

TEST(ScratchFile, LeavesNoFileBehindAndSaysWhereNoneCanBe) {
  const char* set = std::getenv("TMPDIR");
  const std::string before = set ? set : "";
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "grin_scratch_test";
  std::filesystem::create_directories(folder);
  setenv("TMPDIR", folder.c_str(), 1);
  ScratchFile file;
  const auto memory = file.Take(10);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  setenv("TMPDIR", "/nowhere/at/all", 1);
  EXPECT_THROW(ScratchFile(), Error);
  // More than any disk has.
  try {
    file.Take(int64_t{1} << 60);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kMemory);
  }
  if (set) {
    setenv("TMPDIR", before.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
}

}  // namespace
}  // namespace grin
