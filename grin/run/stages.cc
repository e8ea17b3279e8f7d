#include "grin/run/stages.h"

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/stopwatch.h"
#include "grin/ranks/ranks.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/provenance.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/tune_plan.h"

namespace grin {
namespace {

uint64_t SeedOf(const Workspace& workspace) {
  return static_cast<uint64_t>(workspace.options.compute.seed);
}

void CheckOptionalOutput(const OutputOptions& output, OutputKind kind) {
  if (!output.out.empty()) CheckOutput(output, kind);
}

// The mask in a file, or none where every weight is trained.
std::optional<Mask> LoadMask(const std::string& file) {
  if (file.empty()) return std::nullopt;
  return Mask::Load(file);
}

int64_t EveryCount(const Model& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) count += tensor.numel();
  return count;
}

TrainResult ReadWholeResult(const Ranks& ranks, const std::string& out, const Json& document) {
  if (!ranks.first()) return {.document = document};  // what was written lies with rank 0
  return {.tuned = ReadTuneReport(out, document), .document = document};
}

}  // namespace

void CheckRun(const ComputeOptions& compute, const LocateRunOptions& options) {
  FindDevice(compute.device);
  CheckLocateOptions(options.locate);
  CheckOptionalOutput(options.output, OutputKind::kFile);
}

LocateResult RunLocate(Workspace& workspace, const LoadedTask& loaded,
                       const LocateRunOptions& options) {
  CheckRun(workspace.options.compute, options);
  const Model& model = workspace.model;
  const Task& task = loaded.task;
  const Json document =
      Provenance("locate", RecipeOf(workspace.options, loaded.options, options));
  std::optional<Reservation> place;
  if (!options.output.out.empty()) {
    place.emplace(options.output.out, /*directory=*/false);
    int64_t bits = 0;
    for (const TensorInfo& info : workspace.checkpoint->tensors()) bits += info.elements();
    CheckSpace(options.output.out, bits / 8);
  }
  const ComputeOptions& compute = workspace.options.compute;
  const int64_t pass_tokens =
      options.probe
          ? RecordedPassTokens(model, compute, TrainedBytes(model, options.locate), LongestOf(task))
          : 0;
  const LocateFit fit =
      BudgetLocate(model, compute, options.locate,
                   LocateWorkOf(task, options.locate, SeedOf(workspace)), /*reserved=*/0);
  LocateResult result;
  result.mask = InStage(compute, "locating weights", kLocateAdvice, [&] {
    return Locate(model, task.forget_sequences, task.retain_sequences, options.locate,
                  SeedOf(workspace), fit.pass_tokens, &result.report, fit.memory);
  });
  result.mask.metadata()["recipe_hash"] = document["recipe_hash"];
  if (place) {
    result.mask.Save(options.output.out);
    Info("wrote {}", options.output.out);
  }
  if (options.probe) {
    result.probe = InStage(workspace.options.compute, "probing the mask", kTrainAdvice, [&] {
      return ProbeLocality(model, result.mask, task, SeedOf(workspace), pass_tokens);
    });
  }
  return result;
}

void CheckRun(const ComputeOptions& compute, const PerturbRunOptions& options) {
  FindDevice(compute.device);
  if (options.mask.empty()) BadUsage("run", "--mask is required; see --help");
  CheckPerturbOptions(options.perturb);
  CheckOptionalOutput(options.output, OutputKind::kDirectory);
}

PerturbResult RunPerturb(Workspace& workspace, const PerturbRunOptions& options) {
  CheckRun(workspace.options.compute, options);
  const Model& model = workspace.model;
  PerturbResult result{.mask = Mask::Load(options.mask), .document = {}};
  result.document = Provenance("perturb", RecipeOf(workspace.options, options));
  result.document["inputs"] = {{"model", ValidUtf8(workspace.checkpoint->path().string())},
                               {"mask", DescribeInput(options.mask, result.mask.count())}};
  result.document["mask"] = DescribeMask(result.mask);
  std::optional<OutputDirectory> output;
  if (!options.output.out.empty()) {
    output.emplace(options.output, *workspace.checkpoint, result.document);
  }
  CheckBudget(model, workspace.options.compute, TrainedBytes(model, result.mask));
  std::optional<Trainable> trainable;
  InStage(workspace.options.compute, "perturbing weights", kTrainAdvice, [&] {
    trainable.emplace(model, result.mask);
    Perturb(model, *trainable, options.perturb, SeedOf(workspace));
  });
  if (output) {
    output->Write(&*trainable, result.document, &result.mask, {});
    Info("wrote {}: noise on {} of {} weights", options.output.out, result.mask.count(),
         result.mask.total());
  }
  return result;
}

void CheckRun(const ComputeOptions& compute, const TuneRunOptions& options) {
  FindDevice(compute.device);
  CheckObjectiveOptions(options.objective);
  CheckForgetGradientOptions(options.forget_gradient);
  CheckStepOptions(options.steps);
  CheckTrainingOutput(options.output, options.state);
}

TrainResult RunTune(Workspace& workspace, const LoadedTask& loaded, const TuneRunOptions& given) {
  const Stopwatch clock;
  CheckRun(workspace.options.compute, given);
  WarnOfUnused(given.objective);
  TuneRunOptions options = given;
  options.objective = Resolved(given.objective, workspace.encoder->open_unlearning());
  const Model& model = workspace.model;
  const Task& task = loaded.task;
  const std::optional<Mask> mask = LoadMask(options.mask);
  TrainResult result;
  result.document = Provenance("tune", RecipeOf(workspace.options, loaded.options, options));
  result.document["inputs"] = loaded.inputs;
  Json files = TaskFiles(workspace, loaded);
  AddFile(files, options.mask);
  AddFile(files, options.objective.refusals);
  TrainingOutput output(options.output, options.state, workspace, std::move(files),
                        result.document);
  if (output.whole()) return ReadWholeResult(*model.ranks, options.output.out, *output.whole());
  const bool keeps_states = options.objective.keep == "best";
  const int64_t trained = mask ? TrainedBytes(model, *mask) : TrainedBytes(model, keeps_states);
  const int64_t compared =
      ReferenceBytes(model, task, options.objective, workspace.encoder->open_unlearning());
  const int64_t apart =
      ForgetGradientBytes(mask ? mask->count() : EveryCount(model), options.forget_gradient);
  const int64_t pass_tokens =
      RecordedPassTokens(model, workspace.options.compute, trained + compared + apart,
                         LongestUnit(task, options.objective));
  return output.Run([&] {
    return InStage(workspace.options.compute, "tuning", kTrainAdvice, [&] {
      TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps,
                    SeedOf(workspace), pass_tokens, options.forget_gradient);
      RunState* state = output.state();
      if (mask) plan.CheckReach(SelectableOf(*mask));
      if (const auto start = output.TakeStart()) {
        plan.Prepare(start->plan);
      } else {
        plan.Prepare();
        if (state) state->SaveStart({.plan = plan.Prepared()});
      }
      Trainable trainable = mask ? Trainable(model, *mask) : Trainable::Everything(model);
      result.tuned = plan.Run(trainable, output.Hooks());
      result.document["cost"] = {{"tune_seconds", result.tuned.seconds}};
      output.Finish(trainable, mask ? &*mask : nullptr, result.tuned, clock, result.document);
      return result;
    });
  });
}

Json RunTuneDry(Workspace& workspace, const LoadedTask& loaded, const TuneRunOptions& given) {
  WarnOfUnused(given.objective);
  TuneRunOptions options = given;
  options.objective = Resolved(given.objective, workspace.encoder->open_unlearning());
  options.objective.keep = "last";  // nothing is judged
  const Model& model = workspace.model;
  const Task& task = loaded.task;
  const int64_t pass_tokens = RecordedPassTokens(
      model, workspace.options.compute,
      ReferenceBytes(model, task, options.objective, workspace.encoder->open_unlearning()),
      LongestUnit(task, options.objective));
  TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps,
                SeedOf(workspace), pass_tokens);
  plan.Prepare();
  const auto& terms = plan.terms();
  const auto losses = InStage(workspace.options.compute, "computing losses", "",
                              [&] { return InitialLosses(model, terms, pass_tokens); });
  Json result = {{"objective", options.objective.objective}};
  double total = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    result[terms[i].name + "_loss"] = losses[i];
    total += terms[i].scale * losses[i];
  }
  result["loss"] = total;
  return result;
}

void CheckRun(const ComputeOptions& compute, const FinetuneRunOptions& options) {
  FindDevice(compute.device);
  if (options.data.empty()) BadUsage("run", "--data is required; see --help");
  CheckStepOptions(options.steps);
  CheckTrainingOutput(options.output, options.state);
}

TrainResult RunFinetune(Workspace& workspace, const FinetuneRunOptions& options) {
  const Stopwatch clock;
  CheckRun(workspace.options.compute, options);
  const LoadedData data = LoadData(workspace, options.data);
  const Model& model = workspace.model;
  const std::optional<Mask> mask = LoadMask(options.mask);
  TrainResult result;
  result.document = Provenance("finetune", RecipeOf(workspace.options, options));
  result.document["inputs"] = {{"data", data.input}};
  Json files = DataFiles(workspace, data);
  AddFile(files, options.mask);
  TrainingOutput output(options.output, options.state, workspace, std::move(files),
                        result.document);
  if (output.whole()) return ReadWholeResult(*model.ranks, options.output.out, *output.whole());
  const int64_t pass_tokens =
      RecordedPassTokens(model, workspace.options.compute,
                         mask ? TrainedBytes(model, *mask) : TrainedBytes(model, false),
                         LongestOf(data.sequences));
  return output.Run([&] {
    RunState* state = output.state();
    if (!output.TakeStart() && state) state->SaveStart({});
    return InStage(workspace.options.compute, "fine-tuning", mask ? kTrainAdvice : "", [&] {
      Trainable trainable = mask ? Trainable(model, *mask) : Trainable::Everything(model);
      result.tuned = Finetune(model, trainable, data.sequences, options.steps, SeedOf(workspace),
                              pass_tokens, output.Hooks());
      result.document["cost"] = {{"tune_seconds", result.tuned.seconds}};
      output.Finish(trainable, mask ? &*mask : nullptr, result.tuned, clock, result.document);
      return result;
    });
  });
}

}  // namespace grin
