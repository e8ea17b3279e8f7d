#include "grin/run/unlearn.h"

#include <algorithm>
#include <optional>

#include "grin/base/hash.h"
#include "grin/base/stopwatch.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/model_fingerprint.h"
#include "grin/ranks/ranks.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/provenance.h"
#include "grin/run/unlearn_needs.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/tune_plan.h"

namespace grin {

namespace {

// Error (usage) for settings of the three stages that another method would pass over without a word.
void RefuseIdleStages(const UnlearnOptions& options) {
  const Method& method = FindMethod(options.method.method);
  if (!method.run) return;
  const auto refuse = [&](bool given, const char* flag) {
    if (given) {
      BadUsage("run", "--{} says nothing to --method {}; it is of --method tune", flag, method.name);
    }
  };
  refuse(options.objective.objective != ObjectiveOptions{}.objective, "objective");
  refuse(options.perturb.perturb != PerturbOptions{}.perturb, "perturb");
  refuse(options.forget_gradient.surgery != "none", "surgery");
  refuse(options.forget_gradient.rehearse > 0, "rehearse");
}

}  // namespace

void CheckUnlearn(const ComputeOptions& compute, const UnlearnOptions& options) {
  FindDevice(compute.device);
  CheckMethodOptions(options.method, options.locate,
                     !options.mask && !options.mask_file.mask.empty());
  RefuseIdleStages(options);
  CheckLocateOptions(options.locate);
  CheckPerturbOptions(options.perturb);
  CheckObjectiveOptions(options.objective);
  CheckForgetGradientOptions(options.forget_gradient);
  CheckStepOptions(options.steps);
  CheckTrainingOutput(options.output, options.state);
}

namespace {

// Checkpoints that a method compares with.
struct OtherCheckpoints {
  explicit OtherCheckpoints(const MethodOptions& options) {
    if (!options.before.empty()) before = OpenCheckpoint(options.before);
    if (!options.taught.empty()) taught = OpenCheckpoint(options.taught);
  }

  std::shared_ptr<const Checkpoint> before, taught;
};

// What the run reads besides the model.
Json FilesOf(const Workspace& workspace, const LoadedTask& loaded, const UnlearnOptions& options,
             const Mask* mask, const OtherCheckpoints& others) {
  Json files = TaskFiles(workspace, loaded);
  AddFile(files, options.objective.refusals);
  for (const auto& other : {others.before, others.taught}) {
    if (other) files[ValidUtf8(other->path().string())] = ModelFingerprint(*other);
  }
  if (mask) {
    uint64_t hash = Fnv1a64({});
    for (const MaskTensor& tensor : mask->tensors()) {
      hash = Fnv1a64(tensor.name, hash);
      hash = Fnv1a64({reinterpret_cast<const char*>(tensor.bits.data()), tensor.bits.size()}, hash);
    }
    files["the mask"] = fmt::format("{:016x}", hash);
  }
  return files;
}

// From what is kept, where there is a store.
void PrepareFrom(ReferenceStore* store, const Model& model, int64_t pass_tokens, TunePlan& plan) {
  if (!store) return plan.Prepare();
  const std::string key =
      fmt::format("{} {} {}", pass_tokens, at::toString(model.weights->dtype()),
                  model.weights->device().is_cpu() ? "cpu" : "device");
  plan.Prepare(store->Get(key, [&] {
    plan.Prepare();
    return plan.Prepared();
  }));
}

Selectable SelectableOf(const Model& model, const LocateOptions& options) {
  Selectable weights;
  for (const std::string& name : ScoredNames(model, options)) {
    weights.emplace_back(name, model.weights->tensors().at(name).numel());
  }
  return weights;
}

}  // namespace

UnlearnResult Unlearn(Workspace& workspace, const LoadedTask& loaded, const UnlearnOptions& asked) {
  const Stopwatch clock;
  const ComputeOptions& compute = workspace.options.compute;
  CheckUnlearn(compute, asked);
  WarnOfUnused(asked.objective);
  UnlearnOptions options = asked;
  options.objective = Resolved(asked.objective, workspace.encoder->open_unlearning());
  const Model& model = workspace.model;
  const Task& task = loaded.task;
  UnlearnResult result;
  result.document =
      Provenance("unlearn", RecipeOf(workspace.options, loaded.options, options));
  result.document["inputs"] = loaded.inputs;
  const Method& method = FindMethod(options.method.method);
  const OtherCheckpoints others(options.method);
  for (const auto& [name, other] : {std::pair("before", others.before),
                                    std::pair("taught", others.taught)}) {
    if (other) result.document["inputs"][name] = ValidUtf8(other->path().string());
  }
  std::optional<Mask> given;
  if (options.mask) {
    given = *options.mask;
  } else if (!options.mask_file.mask.empty()) {
    given = Mask::Load(options.mask_file.mask);
    result.document["inputs"]["mask"] = DescribeInput(options.mask_file.mask, given->count());
  }
  const LocateOptions locate =
      method.selection ? method.selection(model, options.locate) : options.locate;
  TrainingOutput output(options.output, options.state, workspace,
                        FilesOf(workspace, loaded, options, given ? &*given : nullptr, others),
                        result.document);
  if (output.whole()) {
    result.document = *output.whole();
    if (!model.ranks->first()) return result;  // what was written lies with rank 0
    result.tuned = ReadTuneReport(options.output.out, result.document);
    result.mask = Mask::Load(std::filesystem::path(options.output.out) / "mask.safetensors");
    return result;
  }
  const UnlearnNeeds needs = NeedsOf(model, task, options, locate, given ? &*given : nullptr,
                                     workspace.encoder->open_unlearning());
  const int64_t pass_tokens =
      RecordedPassTokens(model, compute, needs.while_tuning(), needs.longest);
  const auto seed = static_cast<uint64_t>(compute.seed);
  LocateFit fit;
  if (!given) {
    fit = BudgetLocate(model, compute, locate, LocateWorkOf(task, locate, seed),
                       needs.before_tuning());
  }

  // The weights that are changed: as they were given, or located on the untouched model.
  const auto locate_weights = [&] {
    if (given) return *given;
    Mask mask = InStage(compute, "locating weights", kLocateAdvice, [&] {
      return Locate(model, task.forget_sequences, task.retain_sequences, locate, seed,
                    fit.pass_tokens, &result.located, fit.memory, asked.gradients);
    });
    mask.metadata()["recipe_hash"] = result.document["recipe_hash"];
    return mask;
  };

  return output.Run([&] {
    std::optional<TunePlan> plan;
    if (!method.run) {
      plan.emplace(model, task, *workspace.encoder, options.objective, options.steps, seed,
                   pass_tokens, options.forget_gradient);
    }
    RunState* state = output.state();
    if (plan) plan->CheckReach(given ? SelectableOf(*given) : SelectableOf(model, locate));
    if (auto start = output.TakeStart()) {
      if (plan) plan->Prepare(start->plan);
      result.mask = given ? *given : std::move(start->mask).value();
      result.located = start->located;
    } else {
      // Before any noise: reference values and the judge's start are those of the untouched model.
      if (plan) {
        InStage(compute, "computing reference values", "",
                [&] { PrepareFrom(asked.references, model, pass_tokens, *plan); });
      }
      result.mask = locate_weights();
      if (state) {
        state->SaveStart({plan ? plan->Prepared() : StateFile{}, result.mask, result.located});
      }
    }
    return InStage(compute, "tuning", kTrainAdvice, [&] {
      Trainable trainable(model, result.mask);
      TuneHooks hooks = output.Hooks();
      // The masters of a saved step have their noise already.
      const bool begun = output.has_step();
      if (plan) {
        if (!begun) Perturb(model, trainable, options.perturb, seed);
        result.tuned = plan->Run(trainable, std::move(hooks));
      } else {
        result.tuned = method.run({.model = model,
                                   .task = task,
                                   .trainable = trainable,
                                   .options = options.method,
                                   .locate = locate,
                                   .perturb = options.perturb,
                                   .steps = options.steps,
                                   .before = others.before.get(),
                                   .taught = others.taught.get(),
                                   .seed = seed,
                                   .pass_tokens = pass_tokens},
                                  std::move(hooks));
      }

      result.document["cost"] = {{"locate_seconds", result.located.seconds},
                                 {"tune_seconds", result.tuned.seconds}};
      output.Finish(trainable, &result.mask, result.tuned, clock, result.document);
      return result;
    });
  });
}

}  // namespace grin
