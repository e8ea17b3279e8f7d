#pragma once
// What the tests of this room share: a place to write, and the message of an error.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "grin/base/error.h"

namespace grin {

// An empty directory of that name.
inline std::filesystem::path Scratch(const std::string& name) {
  const std::filesystem::path dir = std::filesystem::path(testing::TempDir()) / ("grin_io_" + name);
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  return dir;
}

// Plain, without the flush to the disk that WriteFile has: thousands of these are written. A file
// is removed first because some file systems flush one that is truncated.
inline void Put(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

// The message of the bad-input error that `run` throws, "no error" when it throws none.
template <typename Run>
std::string ErrorOf(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput) << error.what();
    EXPECT_EQ(std::strchr(error.what(), '\n'), nullptr) << error.what();
    return error.what();
  }
  return "no error";
}

inline std::filesystem::path TestData(const std::string& name) {
  return std::filesystem::path(GRIN_TEST_DATA) / "io" / name;
}

inline std::filesystem::path Shared(const std::string& name) {
  return std::filesystem::path(GRIN_SHARED) / name;
}

}  // namespace grin
