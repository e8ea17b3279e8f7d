// grin version.

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdio>

#include "grin/cli/command.h"

namespace grin {
namespace {

std::function<void()> SetUp(Flags&, const CommonOptions& common) {
  return [&common] {
    if (common.json) {
      fmt::print("{}\n", Json{{"grin", Version()}, {"torch", TORCH_VERSION}}.dump());
    } else {
      fmt::print("grin {}, LibTorch {}\n", Version(), TORCH_VERSION);
    }
  };
}

}  // namespace

extern const Command kVersion;
const Command kVersion = {.name = "version",
                          .summary = "print the version and that of LibTorch",
                          .examples = "",
                          .set_up = SetUp};

}  // namespace grin
