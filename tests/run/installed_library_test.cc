// The library as another program meets it: installed, found by find_package, and linked.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

// Runs a command with its output in `log`, which is shown when it fails.
void ExpectSuccess(const std::string& command, const fs::path& log) {
  const int status = std::system((command + " >'" + log.string() + "' 2>&1 </dev/null").c_str());
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0) << command << "\n" << ReadFile(log);
}

TEST(InstalledLibrary, GivesTheBytesThatTheCommandGives) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a program that is built without the sanitiser cannot load a library built with it";
#endif
  const ToyRun toy("installed_library");
  const std::string dir = "'" + toy.dir().string() + "'";
  const fs::path log = toy.dir() / "log.txt";
  const std::string cmake = "'" GRIN_CMAKE "' ", binary_dir = fs::absolute(GRIN_BINARY_DIR).string();
  fs::copy(fs::path(GRIN_SOURCE_DIR) / "examples/library", toy.dir() / "source");
  for (const std::string& command :
       {cmake + "--install '" + binary_dir + "' --prefix prefix",
        cmake + "-S source -B build -DCMAKE_PREFIX_PATH=\"$PWD/prefix\" -DCMAKE_BUILD_TYPE=Debug "
                "-DCMAKE_CXX_COMPILER='" GRIN_COMPILER "'",
        cmake + "--build build",
        std::string("OMP_NUM_THREADS=1 build/unlearn model forget.jsonl retain.jsonl by_library 3"),
        std::string("prefix/bin/grin unlearn --model model --forget forget.jsonl --retain "
                    "retain.jsonl --steps 3 --threads 1 --out by_command")}) {
    ASSERT_NO_FATAL_FAILURE(ExpectSuccess("cd " + dir + " && " + command, log));
  }
  for (const char* name : {"model.safetensors", "mask.safetensors", "config.json"}) {
    EXPECT_EQ(ReadFile(toy.dir() / "by_library" / name), ReadFile(toy.dir() / "by_command" / name))
        << name;
  }
  EXPECT_NE(ReadFile(toy.dir() / "by_library/model.safetensors"),
            ReadFile(toy.dir() / "model/model.safetensors"));

  // Where LibTorch is missing the package says so, and what to do.
  const int status = std::system(("cd " + dir + " && '" GRIN_CMAKE "' -S source -B other "
                                  "-DCMAKE_PREFIX_PATH=\"$PWD/prefix\" -DGRIN_DEPS=/nowhere "
                                  ">log.txt 2>&1").c_str());
  EXPECT_NE(status, 0);
  std::string said = ReadFile(log);
  std::ranges::replace(said, '\n', ' ');
  EXPECT_THAT(said, HasSubstr("/nowhere/torch-"));
  EXPECT_THAT(said, HasSubstr("script/bootstrap"));
}

}  // namespace
}  // namespace grin
