#pragma once
// The result files that tests of the report read.

#include <filesystem>
#include <string>

namespace grin {

inline std::filesystem::path GoldenResults(const std::string& name) {
  return std::filesystem::path(GRIN_TEST_DATA) / "report" / name;
}

}  // namespace grin
