// grin unlearn: locate, perturb, tune.

#include "grin/base/progress.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/locate/locate.h"
#include "grin/tune/perturb_stage.h"

namespace grin {
namespace {

struct Options {
  ModelOptions model;
  TaskOptions task;
  DataOptions data;
  LocateOptions locate;
  PerturbOptions perturb;
  ObjectiveOptions objective;
  StepOptions steps;
  OutputOptions output;
};

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  const Progress clock("", 0);
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  Workspace workspace = OpenWorkspace(common, options.model, options.data);
  const Model& model = workspace.model;
  const Task task = LoadTask(workspace, options.task, options.data);
  const int64_t pass_tokens =
      RecordedPassTokens(model, common, ScoreBytes(model) + MaskedBytes(model, options.locate.fraction),
                         LongestOf(task));

  CheckPerturbOptions(options.perturb);
  TunePlan plan(model, task, *workspace.encoder, options.objective, options.steps, common.seed,
                pass_tokens);
  plan.Prepare();
  LocateReport located;
  Mask mask = Locate(model, task.forget_sequences, task.retain_sequences, options.locate,
                     common.seed, pass_tokens, &located);
  Trainable trainable(model, mask);
  Perturb(model, trainable, options.perturb, common.seed);
  const TuneReport tuned = plan.Run(trainable);

  Json document = Provenance("unlearn", recipe);
  mask.metadata()["recipe_hash"] = document["recipe_hash"];
  document["inputs"] = DescribeTask(options.task, task);
  document["cost"] = {{"locate_seconds", located.seconds}, {"tune_seconds", tuned.seconds}};
  FinishTraining(common, options.output, workspace, trainable, &mask, tuned, clock, document);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->task);
  flags.Bind("Input", options->data);
  flags.Bind("Locate: which weights hold the forget data", options->locate);
  flags.Bind("Perturb: shake them loose", options->perturb);
  flags.Bind("Tune: fine-tune only those", options->objective);
  flags.Bind("Tune: steps", options->steps);
  flags.Bind("Output", options->output);
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kUnlearn;
const Command kUnlearn = {
    .name = "unlearn",
    .summary = "make a model forget: locate, perturb and tune in one go",
    .examples =
        "Examples:\n"
        "  grin unlearn --model M --forget forget.jsonl --retain retain.jsonl --out OUT\n"
        "  grin unlearn --config recipe.toml --seed 1 --out OUT\n"
        "OUT is a complete checkpoint with grin.json (recipe and costs), mask.safetensors and "
        "log.jsonl.",
    .set_up = SetUp};

}  // namespace grin
