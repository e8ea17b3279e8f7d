// grin locate: influence and mask only.

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/locate/locate.h"
#include "grin/perturb/options.h"
#include "grin/tune/probe.h"

namespace grin {
namespace {

struct ProbeFlag {
  bool probe = false;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("probe", probe,
          "shake the mask by one standard deviation, in memory, and print what is left of the "
          "answers' probability: a good mask hurts forget far more than retain");
  }
};

struct Options {
  ModelOptions model;
  TaskOptions task;
  DataOptions data;
  LocateOptions locate;
  ProbeFlag probe;
  OutputOptions output;
};

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  if (!options.probe.probe) Require(options.output.out, "--out (or --probe)");
  if (!options.output.out.empty()) CheckOutput(options.output);
  Workspace workspace = OpenWorkspace(common, options.model, options.data);
  const Task task = LoadTask(workspace, options.task, options.data);
  const int64_t pass_tokens = RecordedPassTokens(workspace.model, common,
                                                 ScoreBytes(workspace.model), LongestOf(task));
  LocateReport report;
  Mask mask = Locate(workspace.model, task.forget_sequences, task.retain_sequences, options.locate,
                     common.seed, pass_tokens, &report);
  Json result = DescribeMask(mask);
  result["seconds"] = report.seconds;
  if (!options.output.out.empty()) {
    mask.metadata()["recipe_hash"] = Provenance("locate", recipe)["recipe_hash"];
    mask.Save(options.output.out);
    Info("wrote {}", options.output.out);
  }
  if (options.probe.probe) {
    const ProbeResult probe = ProbeLocality(workspace.model, mask, task, common.seed, pass_tokens);
    result["probe"] = {{"forget_left", probe.forget_left}, {"retain_left", probe.retain_left}};
    if (!common.json) {
      fmt::print("after noise of one standard deviation on the mask, of the answers' probability is "
                 "left: forget {:.3f}, retain {:.3f}\n", probe.forget_left, probe.retain_left);
    }
  }
  PrintJson(common, result);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->task);
  flags.Bind("Input", options->data);
  flags.Bind("Locate", options->locate);
  flags.Bind("Locate", options->probe);
  flags.Bind("Output", options->output);
  flags.IgnoreInConfig<PerturbOptions>();
  flags.IgnoreInConfig<ObjectiveOptions>();
  flags.IgnoreInConfig<StepOptions>();
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kLocate;
const Command kLocate = {
    .name = "locate",
    .summary = "find the weights that hold the forget data, and write them as a mask",
    .examples = "Example:\n  grin locate --model M --forget F --retain R --out mask.safetensors --probe",
    .set_up = SetUp};

}  // namespace grin
