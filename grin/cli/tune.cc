// grin tune: the objective on the weights of a mask.

#include "grin/cli/command.h"
#include "grin/locate/locate.h"
#include "grin/perturb/options.h"
#include "grin/run/stages.h"
#include "grin/run/unlearn.h"

namespace grin {
namespace {

struct DryRunFlag {
  bool dry_run = false;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("dry-run", dry_run, "print the losses over both whole sets, and train nothing");
  }
};

struct TuneSettings {
  WorkspaceOptions where;
  TaskOptions task;
  TuneRunOptions tune;
  DryRunFlag dry_run;
};

void TuneCommand(TuneSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  const bool dry_run = settings.dry_run.dry_run;
  if (dry_run) {
    settings.tune.output.out.clear();
  } else {
    Require(settings.tune.output.out, "--out");
  }
  KeepOutputToRank0(common, settings.tune.output);
  CheckRun(common.compute, settings.tune);
  Workspace workspace = OpenWorkspace(settings.where);
  const LoadedTask task = LoadTask(workspace, settings.task);
  if (dry_run) return PrintJson(RunTuneDry(workspace, task, settings.tune));
  const TrainResult result = RunTune(workspace, task, settings.tune);
  PrintJson(common, result.document);
  if (common.ranks->first()) ThrowIfGuarded(result.tuned, settings.tune.output.out);
}

std::function<void()> SetUpTune(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<TuneSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->task);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Mask", settings->dry_run);
  flags.Bind("Tune", settings->tune);
  flags.Bind("Output", settings->tune.output);
  flags.Bind("Output", settings->tune.state);
  flags.IgnoreInConfig<LocateOptions>();
  flags.IgnoreInConfig<PerturbOptions>();
  flags.IgnoreInConfig<MethodOptions>();
  return [settings, &common] { TuneCommand(*settings, common); };
}

}  // namespace

extern const Command kTune;
const Command kTune = {
    .name = "tune",
    .summary = "fine-tune only the weights of a mask so that the forget set goes",
    .examples = "Example:\n  grin tune --model M --forget F --retain R --mask mask.safetensors --out OUT",
    .set_up = SetUpTune,
    .processes = Processes::kTogether};

}  // namespace grin
