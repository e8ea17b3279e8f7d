// grin version.

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdio>

#include "grin/base/processor.h"
#include "grin/base/version.h"
#include "grin/cli/command.h"

namespace grin {
namespace {

std::function<void()> SetUpVersion(Flags&, const CommonOptions& common) {
  return [&common] {
    const std::string_view instructions = InstructionsName(InstructionsInUse());
    if (common.json) {
      PrintJson({{"grin", Version()}, {"torch", TORCH_VERSION}, {"instructions", instructions}});
    } else {
      fmt::print("grin {}, LibTorch {}, {} instructions\n", Version(), TORCH_VERSION, instructions);
    }
  };
}

}  // namespace

extern const Command kVersion;
const Command kVersion = {.name = "version",
                          .summary = "print the version, that of LibTorch and the instructions in use",
                          .examples = "",
                          .set_up = SetUpVersion,
    .heeds = ""};

}  // namespace grin
