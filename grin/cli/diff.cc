// grin diff: which weights differ, by how much, and whether any lies outside a mask.

#include <cstdio>

#include "grin/cli/command.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/run/compare.h"
#include "grin/run/delta.h"

namespace grin {
namespace {

struct DiffOptions {
  std::string a, b, mask, out;
  bool force = false;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "count the changes outside of this mask");
    visit("out", out, "write what B has otherwise than A to this file, for grin apply");
    visit("force", force, "replace what stands there");
  }
};

void DiffCommand(const DiffOptions& options, const CommonOptions& common) {
  const auto a = OpenCheckpoint(options.a), b = OpenCheckpoint(options.b);
  std::optional<Mask> mask;
  if (!options.mask.empty()) mask = Mask::Load(options.mask);
  std::optional<DeltaReport> delta;
  if (!options.out.empty()) {
    delta = WriteDelta(*a, *b, {.out = options.out, .force = options.force});
  }
  const Comparison result = CompareCheckpoints(*a, *b, mask ? &*mask : nullptr);
  if (common.json) {
    Json json = {{"tensors", result.tensors},
                 {"weights", result.weights},
                 {"changed", result.changed},
                 {"changed_by_tensor", result.changed_by_tensor},
                 {"max_abs", result.max_abs}};
    if (mask) json["outside_mask"] = result.outside_mask;
    if (delta) {
      json["out"] = options.out;
      json["bytes"] = delta->bytes;
      json["other_files"] = delta->other_files;
    }
    return PrintJson(json);
  }
  for (const auto& [name, changed] : result.changed_by_tensor) {
    fmt::print("{:<56} {:>12} of {}\n", name, changed, a->Find(name)->elements());
  }
  fmt::print("{} of {} weights differ ({:.4f} %) in {} of {} tensors, by at most {:.4g}\n",
             result.changed, result.weights,
             100.0 * static_cast<double>(result.changed) / static_cast<double>(result.weights),
             result.changed_by_tensor.size(), result.tensors, result.max_abs);
  if (mask) {
    fmt::print("outside the mask: {}{}\n", result.outside_mask,
               result.outside_mask == 0 ? "; every other weight is bit-identical" : "");
  }
  if (delta) {
    fmt::print("wrote {}: {:.3f} MB; grin apply puts it on A, or takes it off B\n", options.out,
               static_cast<double>(delta->bytes) / 1e6);
  }
}

std::function<void()> SetUpDiff(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<DiffOptions>();
  flags.Positional("A", options->a, "a checkpoint");
  flags.Positional("B", options->b, "another of the same shape");
  flags.Bind("Input", *options);
  return [options, &common] { DiffCommand(*options, common); };
}

}  // namespace

extern const Command kDiff;
const Command kDiff = {.name = "diff",
                       .summary = "which weights differ between two checkpoints, bit by bit",
                       .examples = "Examples:\n"
                                   "  grin diff M OUT --mask OUT/mask.safetensors --json\n"
                                   "  grin diff M OUT --out delta.safetensors",
                       .set_up = SetUpDiff,
    .heeds = ""};

}  // namespace grin
