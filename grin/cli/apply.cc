// grin apply: a saved change onto its base, or off again.

#include <cstdio>

#include "grin/cli/command.h"
#include "grin/run/delta.h"

namespace grin {
namespace {

void ApplyCommand(const ApplyOptions& options, const CommonOptions& common) {
  Require(options.model, "--model");
  Require(options.output.out, "--out");
  const Json document = ApplyDelta(options);
  if (common.json) return PrintJson(document);
  if (common.quiet) return;
  fmt::print("wrote {}: {} weights {}\n", options.output.out,
             document["changed"].get<std::string>(),
             options.remove ? "as they were before" : "changed");
}

std::function<void()> SetUpApply(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<ApplyOptions>();
  flags.Positional("DELTA", options->delta, "a file that grin diff A B --out wrote");
  flags.Bind("Input", *options);
  flags.Bind("Output", options->output);
  return [options, &common] { ApplyCommand(*options, common); };
}

}  // namespace

extern const Command kApply;
const Command kApply = {
    .name = "apply",
    .summary = "put a delta of grin diff on its base, or take it off again, to the very bytes",
    .examples =
        "Examples:\n"
        "  grin apply delta.safetensors --model M --out OUT\n"
        "  grin apply delta.safetensors --model OUT --remove --out M",
    .set_up = SetUpApply,
    .heeds = ""};

}  // namespace grin
