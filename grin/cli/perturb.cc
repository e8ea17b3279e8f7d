// grin perturb: noise into the weights of a mask, without training.

#include "grin/cli/command.h"
#include "grin/run/run_state.h"
#include "grin/run/stages.h"
#include "grin/run/unlearn.h"

namespace grin {
namespace {

struct PerturbSettings {
  WorkspaceOptions where;
  PerturbRunOptions perturb;
};

void PerturbCommand(PerturbSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  Require(settings.perturb.output.out, "--out");
  CheckRun(common.compute, settings.perturb);
  Workspace workspace = OpenModel(settings.where);
  PrintJson(common, RunPerturb(workspace, settings.perturb).document);
}

std::function<void()> SetUpPerturb(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<PerturbSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Perturb", settings->perturb);
  flags.Bind("Output", settings->perturb.output);
  flags.IgnoreInConfig<TaskOptions>();
  flags.IgnoreInConfig<DataOptions>();
  flags.IgnoreInConfig<LocateOptions>();
  flags.IgnoreInConfig<ObjectiveOptions>();
  flags.IgnoreInConfig<MethodOptions>();
  flags.IgnoreInConfig<ForgetGradientOptions>();
  flags.IgnoreInConfig<StepOptions>();
  flags.IgnoreInConfig<StateOptions>();
  return [settings, &common] { PerturbCommand(*settings, common); };
}

}  // namespace

extern const Command kPerturb;
const Command kPerturb = {
    .name = "perturb",
    .summary = "inject noise into the weights of a mask, and nothing else",
    .examples = "Example:\n  grin perturb --model M --mask mask.safetensors --noise 0.5 --out OUT",
    .set_up = SetUpPerturb};

}  // namespace grin
