#pragma once
// The command that was built, for the shell.

#include <filesystem>
#include <string>

namespace grin {

inline std::string GrinCommand() {
  return "'" + std::filesystem::absolute(GRIN_BINARY_DIR "/grin").string() + "'";
}

}  // namespace grin
