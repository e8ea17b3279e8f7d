// grin version.

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdio>

#include "grin/base/version.h"
#include "grin/cli/command.h"

namespace grin {
namespace {

std::function<void()> SetUpVersion(Flags&, const CommonOptions& common) {
  return [&common] {
    if (common.json) {
      PrintJson({{"grin", Version()}, {"torch", TORCH_VERSION}});
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
                          .set_up = SetUpVersion,
    .heeds = ""};

}  // namespace grin
