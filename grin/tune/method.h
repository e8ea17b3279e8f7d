#pragma once
// Ways to unlearn, as one table. `tune` is GRIN's: perturb the located weights and train them by an
// objective (grin/tune/tune_plan.h). The others replace both by a procedure of their own.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "grin/base/table.h"
#include "grin/data/task.h"
#include "grin/locate/locate.h"
#include "grin/perturb/options.h"
#include "grin/tune/options.h"
#include "grin/tune/tune.h"

namespace grin {

struct MethodOptions;

// What a method works with.
struct MethodInput {
  const Model& model;
  const Task& task;
  Trainable& trainable;  // the weights that it may change, as the checkpoint has them
  const MethodOptions& options;
  const LocateOptions& locate;  // of its own selection, see Method::selection
  const PerturbOptions& perturb;
  const StepOptions& steps;
  const Checkpoint* before = nullptr;  // --before; null where it is not named
  const Checkpoint* taught = nullptr;  // --taught
  uint64_t seed = 0;
  int64_t pass_tokens = 0;
};

struct Method {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  // Which weights it changes where no mask is given, as settings for Locate; null: those that --locate
  // and --fraction say.
  LocateOptions (*selection)(const Model& model, const LocateOptions& options);
  bool uses_checkpoints;  // --before or --taught must be named
  // Dense gradients in fp32 of every weight that it changes, which it holds at one time.
  int64_t dense_gradients;
  // Does the work. The weights are left as the run ends with. May be gone on with, and says what it
  // did, as Tune does. Null for `tune`.
  TuneReport (*run)(const MethodInput& input, TuneHooks hooks);
};

std::span<const Method> Methods();

// Error (usage) that lists the known ones and names the nearest.
const Method& FindMethod(std::string_view name);

struct MethodOptions {
  std::string method = "tune";
  double dampen = 1;
  double strength = 1;
  std::string before, taught;
  int64_t rank = 512;
  int64_t lora_rank = 8;
  double lora_lr = 0.05;
  int64_t lora_epochs = 1;
  double divergence = 0.01;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("method", method,
          "tune: perturb the located weights and train them by --objective; ssd, perta, task-vector: "
          "one edit that needs no tuning; undo: shrink the weights towards noise and distil them from "
          "--model, which was unlearned before; repselect: go along the forget gradient without its "
          "strongest directions until --divergence");
    visit("dampen", dampen, "lambda of ssd: theta *= min(lambda F_r / F_f, 1)");
    visit("strength", strength, "of perta and task-vector: how much of what was learned is taken back");
    visit("before", before,
          "of perta and task-vector: the checkpoint from before the forget data were learned");
    visit("taught", taught,
          "of task-vector: a checkpoint that was taught the forget data (more); default: --model");
    visit("rank", rank, "of repselect: strongest directions that are weakened, at most a quarter of all");
    visit("lora-rank", lora_rank, "of repselect: rank of the adapter that relearns meanwhile");
    visit("lora-lr", lora_lr, "of repselect: learning rate of that adapter (plain gradient descent)");
    visit("lora-epochs", lora_epochs, "of repselect: passes over the forget set of that adapter; 0: none");
    visit("divergence", divergence,
          "of repselect: stop where the mean Kullback-Leibler divergence from the untouched model on "
          "retain text reaches this, nats per token");
  }
};

// Error (usage) for settings that make no sense, or that say nothing to the method.
void CheckMethodOptions(const MethodOptions& options, const LocateOptions& locate,
                        bool mask_is_given);

// Every weight in scope, whatever --locate and --fraction say: a selection.
LocateOptions WholeScope(const Model& model, const LocateOptions& options);

// The rows of the table, each in the file of its method.
extern const Method kDampening, kPerParameterArithmetic, kTaskVector, kUndo, kRepSelect;

}  // namespace grin
