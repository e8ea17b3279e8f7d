// grin locate: influence and mask only.

#include "grin/cli/command.h"
#include "grin/run/provenance.h"
#include "grin/run/run_state.h"
#include "grin/run/stages.h"
#include "grin/run/unlearn.h"

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

struct LocateSettings {
  WorkspaceOptions where;
  TaskOptions task;
  LocateRunOptions locate;
  ProbeFlag probe;
};

void LocateCommand(LocateSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  settings.locate.probe = settings.probe.probe;
  if (!settings.locate.probe) Require(settings.locate.output.out, "--out (or --probe)");
  KeepOutputToRank0(common, settings.locate.output);
  CheckRun(common.compute, settings.locate);
  Workspace workspace = OpenWorkspace(settings.where);
  const LoadedTask task = LoadTask(workspace, settings.task);
  const LocateResult result = RunLocate(workspace, task, settings.locate);
  Json json = DescribeMask(result.mask);
  json["seconds"] = result.report.seconds;
  if (result.probe) {
    json["probe"] = {{"forget_left", result.probe->forget_left},
                     {"retain_left", result.probe->retain_left}};
    if (!common.json) {
      fmt::print("after noise of one standard deviation on the mask, of the answers' probability is "
                 "left: forget {:.3f}, retain {:.3f}\n",
                 result.probe->forget_left, result.probe->retain_left);
    }
  }
  PrintJson(common, json);
}

std::function<void()> SetUpLocate(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<LocateSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->task);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Locate", settings->locate.locate);
  flags.Bind("Locate", settings->probe);
  flags.Bind("Output", settings->locate.output);
  flags.IgnoreInConfig<PerturbOptions>();
  flags.IgnoreInConfig<ObjectiveOptions>();
  flags.IgnoreInConfig<MethodOptions>();
  flags.IgnoreInConfig<MaskFileOptions>();
  flags.IgnoreInConfig<ForgetGradientOptions>();
  flags.IgnoreInConfig<StepOptions>();
  flags.IgnoreInConfig<StateOptions>();
  return [settings, &common] { LocateCommand(*settings, common); };
}

}  // namespace

extern const Command kLocate;
const Command kLocate = {
    .name = "locate",
    .summary = "find the weights that hold the forget data, and write them as a mask",
    .examples = "Example:\n  grin locate --model M --forget F --retain R --out mask.safetensors --probe",
    .set_up = SetUpLocate,
    .processes = Processes::kTogether};

}  // namespace grin
