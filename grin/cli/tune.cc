// grin tune: the objective on the weights of a mask.

#include "grin/base/log.h"
#include "grin/base/progress.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/locate/locate.h"
#include "grin/perturb/options.h"

namespace grin {
namespace {

struct MaskOptions {
  std::string mask;
  bool dry_run = false;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "mask file that `grin locate` wrote; default: every weight is trained");
    visit("dry-run", dry_run, "print the losses over both whole sets, and train nothing");
  }
};

struct Options {
  ModelOptions model;
  TaskOptions task;
  MaskOptions mask;
  DataOptions data;
  ObjectiveOptions objective;
  StepOptions steps;
  OutputOptions output;
};

void DryRun(const Options& options, const CommonOptions& common, const Workspace& workspace,
            const Task& task, int64_t pass_tokens) {
  const TunePlan plan(workspace.model, task, *workspace.encoder, options.objective, options.steps,
                      common.seed, pass_tokens);
  const auto& terms = plan.terms();
  const auto losses = InitialLosses(workspace.model, terms, pass_tokens);
  Json result = {{"objective", options.objective.objective}};
  double total = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    result[terms[i].name + "_loss"] = losses[i];
    total += terms[i].scale * losses[i];
  }
  result["loss"] = total;
  fmt::print("{}\n", result.dump());
}

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  const Progress clock("", 0);
  if (!options.mask.dry_run) {
    Require(options.output.out, "--out");
    CheckOutput(options.output);
  }
  Workspace workspace = OpenWorkspace(common, options.model, options.data);
  const Model& model = workspace.model;
  const Task task = LoadTask(workspace, options.task, options.data);
  const int64_t pass_tokens = RecordedPassTokens(model, common, 0, LongestOf(task));
  if (options.mask.dry_run) return DryRun(options, common, workspace, task, pass_tokens);

  std::optional<Mask> mask;
  if (!options.mask.mask.empty()) mask = Mask::Load(options.mask.mask);
  Trainable trainable = mask ? Trainable(model, *mask) : Trainable::Everything(model);
  TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps, common.seed,
                pass_tokens);
  plan.Prepare();
  const TuneReport tuned = plan.Run(trainable);
  Json document = Provenance("tune", recipe);
  document["inputs"] = DescribeTask(options.task, task);
  document["cost"] = {{"tune_seconds", tuned.seconds}};
  FinishTraining(common, options.output, workspace, trainable, mask ? &*mask : nullptr, tuned, clock,
                 document);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->task);
  flags.Bind("Input", options->mask);
  flags.Bind("Input", options->data);
  flags.Bind("Objective", options->objective);
  flags.Bind("Steps", options->steps);
  flags.Bind("Output", options->output);
  flags.IgnoreInConfig<LocateOptions>();
  flags.IgnoreInConfig<PerturbOptions>();
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kTune;
const Command kTune = {
    .name = "tune",
    .summary = "fine-tune only the weights of a mask so that the forget set goes",
    .examples = "Example:\n  grin tune --model M --forget F --retain R --mask mask.safetensors --out OUT",
    .set_up = SetUp};

}  // namespace grin
