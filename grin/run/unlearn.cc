#include "grin/run/unlearn.h"

#include <optional>

#include "grin/base/hash.h"
#include "grin/base/stopwatch.h"
#include "grin/run/budget.h"
#include "grin/run/provenance.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/tune_plan.h"

namespace grin {

void CheckUnlearn(const ComputeOptions& compute, const UnlearnOptions& options) {
  RefuseDevice(compute, "weights are located and trained");
  CheckLocateOptions(options.locate);
  CheckPerturbOptions(options.perturb);
  CheckObjectiveOptions(options.objective);
  CheckStepOptions(options.steps);
  CheckTrainingOutput(options.output, options.state);
}

namespace {

// What the run reads besides the model.
Json FilesOf(const Workspace& workspace, const LoadedTask& loaded, const UnlearnOptions& options) {
  Json files = TaskFiles(workspace, loaded);
  AddFile(files, options.objective.refusals);
  if (options.mask) {
    uint64_t hash = Fnv1a64({});
    for (const MaskTensor& tensor : options.mask->tensors()) {
      hash = Fnv1a64(tensor.name, hash);
      hash = Fnv1a64({reinterpret_cast<const char*>(tensor.bits.data()), tensor.bits.size()}, hash);
    }
    files["the mask"] = fmt::format("{:016x}", hash);
  }
  return files;
}

}  // namespace

UnlearnResult Unlearn(Workspace& workspace, const LoadedTask& loaded,
                      const UnlearnOptions& options) {
  const Stopwatch clock;
  const ComputeOptions& compute = workspace.options.compute;
  CheckUnlearn(compute, options);
  const Model& model = workspace.model;
  const Task& task = loaded.task;
  UnlearnResult result;
  result.document =
      Provenance("unlearn", RecipeOf(workspace.options, loaded.options, options));
  result.document["inputs"] = loaded.inputs;
  TrainingOutput output(options.output, options.state, workspace,
                        FilesOf(workspace, loaded, options), result.document);
  if (output.whole()) {
    result.document = *output.whole();
    result.tuned = ReadTuneReport(options.output.out, result.document);
    result.mask = Mask::Load(std::filesystem::path(options.output.out) / "mask.safetensors");
    return result;
  }
  const int64_t trained =
      options.mask ? TrainedBytes(model, *options.mask) : TrainedBytes(model, options.locate);
  const int64_t scored = options.mask ? 0 : ScoreBytes(model, options.locate);
  const int64_t compared = ReferenceBytes(model, task, options.objective);
  const int64_t pass_tokens =
      RecordedPassTokens(model, compute, scored + trained + compared, LongestOf(task));
  const auto seed = static_cast<uint64_t>(compute.seed);

  return output.Run([&] {
    TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps, seed,
                  pass_tokens);
    RunState* state = output.state();
    if (auto start = state ? state->TakeStart() : std::nullopt) {
      plan.Prepare(start->plan);
      result.mask = options.mask ? *options.mask : std::move(start->mask).value();
      result.located = start->located;
    } else {
      // Before any noise: reference values and the judge's start are those of the untouched model.
      plan.Prepare();
      if (options.mask) {
        result.mask = *options.mask;
      } else {
        result.mask = Locate(model, task.forget_sequences, task.retain_sequences, options.locate,
                             seed, pass_tokens, &result.located);
        result.mask.metadata()["recipe_hash"] = result.document["recipe_hash"];
      }
      if (state) state->SaveStart({plan.Prepared(), result.mask, result.located});
    }
    Trainable trainable(model, result.mask);
    // The masters of a saved step have their noise already.
    if (!state || !state->has_step()) Perturb(model, trainable, options.perturb, seed);
    result.tuned = plan.Run(trainable, state ? state->Hooks() : TuneHooks{});

    result.document["cost"] = {{"locate_seconds", result.located.seconds},
                               {"tune_seconds", result.tuned.seconds}};
    output.Finish(trainable, &result.mask, result.tuned, clock, result.document);
    return result;
  });
}

}  // namespace grin
