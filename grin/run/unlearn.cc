#include "grin/run/unlearn.h"

#include <optional>

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
  if (!options.output.out.empty()) CheckOutput(options.output, OutputKind::kDirectory);
}

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
  TrainingOutput output(options.output, workspace, result.document);
  const int64_t trained =
      options.mask ? TrainedBytes(model, *options.mask) : TrainedBytes(model, options.locate);
  const int64_t scored = options.mask ? 0 : ScoreBytes(model, options.locate);
  const int64_t pass_tokens =
      RecordedPassTokens(model, compute, scored + trained, LongestOf(task));
  const auto seed = static_cast<uint64_t>(compute.seed);

  // Before any noise: reference values and the judge's start are those of the untouched model.
  TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps, seed, pass_tokens);
  plan.Prepare();
  result.mask = options.mask
                    ? *options.mask
                    : Locate(model, task.forget_sequences, task.retain_sequences, options.locate,
                             seed, pass_tokens, &result.located);
  if (!options.mask) result.mask.metadata()["recipe_hash"] = result.document["recipe_hash"];
  Trainable trainable(model, result.mask);
  Perturb(model, trainable, options.perturb, seed);
  result.tuned = plan.Run(trainable);

  result.document["cost"] = {{"locate_seconds", result.located.seconds},
                             {"tune_seconds", result.tuned.seconds}};
  output.Finish(trainable, &result.mask, result.tuned, clock, result.document);
  return result;
}

}  // namespace grin
