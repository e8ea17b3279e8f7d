#include "grin/tune/method.h"

#include <array>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr Method kTune = {.name = "tune",
                          .formula = "gamma L_f + alpha L_r by AdamW on the located weights"};

std::array<Method, 6> MakeTable() {
  return {kTune, kDampening, kPerParameterArithmetic, kTaskVector, kUndo, kRepSelect};
}

}  // namespace

std::span<const Method> Methods() {
  static const std::array<Method, 6> table = MakeTable();
  return table;
}

const Method& FindMethod(std::string_view name) {
  return FindRow("run", "method", Methods(), name);
}

LocateOptions WholeScope(const Model&, const LocateOptions& options) {
  LocateOptions whole = options;
  whole.locate = "all";
  whole.fraction = 1;
  whole.threshold = 0;
  return whole;
}

void CheckMethodOptions(const MethodOptions& options, const LocateOptions& locate,
                        bool mask_is_given) {
  const Method& method = FindMethod(options.method);
  const LocateOptions usual;
  if (method.selection && (locate.locate != usual.locate || locate.fraction != usual.fraction)) {
    BadUsage("run",
             "--locate and --fraction say nothing to --method {}, which chooses its weights itself; "
             "restrict it by --scope, or by a mask that grin locate wrote, with --mask",
             method.name);
  }
  if (mask_is_given && (locate.locate != usual.locate || locate.fraction != usual.fraction)) {
    BadUsage("run", "--locate and --fraction say nothing where --mask names the weights; leave out "
             "the ones or the other");
  }
  const bool named = !options.before.empty() || !options.taught.empty();
  if (method.uses_checkpoints && !named) {
    BadUsage("run",
             "--method {} needs --before DIR, the checkpoint from before the forget data were learned",
             method.name);
  }
  if (!method.uses_checkpoints && named) {
    BadUsage("run", "--before and --taught say nothing to --method {}; they are of perta and "
             "task-vector", method.name);
  }
  const auto check = [](bool right, const char* name, auto value, const char* expected) {
    if (!right) BadUsage("run", "--{} is {}; it must be {}", name, value, expected);
  };
  check(options.dampen >= 0, "dampen", options.dampen, "0 or more");
  check(options.strength > 0, "strength", options.strength, "above 0");
  check(options.rank >= 1, "rank", options.rank, "1 or more");
  check(options.lora_rank >= 1, "lora-rank", options.lora_rank, "1 or more");
  check(options.lora_lr > 0, "lora-lr", options.lora_lr, "above 0");
  check(options.lora_epochs >= 0, "lora-epochs", options.lora_epochs, "0 or more");
  check(options.divergence > 0, "divergence", options.divergence, "above 0");
}

}  // namespace grin
