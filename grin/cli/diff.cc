// grin diff: which weights differ, by how much, and whether any lies outside a mask.

#include <cstdio>

#include "grin/cli/command.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/run/compare.h"

namespace grin {
namespace {

struct DiffOptions {
  std::string a, b, mask;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "count the changes outside of this mask");
  }
};

void DiffCommand(const DiffOptions& options, const CommonOptions& common) {
  const auto a = OpenCheckpoint(options.a), b = OpenCheckpoint(options.b);
  std::optional<Mask> mask;
  if (!options.mask.empty()) mask = Mask::Load(options.mask);
  const Comparison result = CompareCheckpoints(*a, *b, mask ? &*mask : nullptr);
  if (common.json) {
    Json json = {{"tensors", result.tensors},
                 {"weights", result.weights},
                 {"changed", result.changed},
                 {"changed_by_tensor", result.changed_by_tensor},
                 {"max_abs", result.max_abs}};
    if (mask) json["outside_mask"] = result.outside_mask;
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
                       .examples = "Example:\n  grin diff M OUT --mask OUT/mask.safetensors --json",
                       .set_up = SetUpDiff,
    .heeds = ""};

}  // namespace grin
