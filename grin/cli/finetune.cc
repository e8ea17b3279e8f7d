// grin finetune: the same loop with the plain loss, on every weight or on those of a mask.

#include "grin/cli/command.h"
#include "grin/run/stages.h"

namespace grin {
namespace {

struct FinetuneSettings {
  WorkspaceOptions where;
  FinetuneRunOptions finetune;
};

void FinetuneCommand(FinetuneSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  Require(settings.finetune.output.out, "--out");
  KeepOutputToRank0(common, settings.finetune.output);
  CheckRun(common.compute, settings.finetune);
  Workspace workspace = OpenWorkspace(settings.where);
  const TrainResult result = RunFinetune(workspace, settings.finetune);
  PrintJson(common, result.document);
  if (common.ranks->first()) ThrowIfGuarded(result.tuned, settings.finetune.output.out);
}

std::function<void()> SetUpFinetune(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<FinetuneSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Data and steps", settings->finetune);
  flags.Bind("Output", settings->finetune.output);
  flags.Bind("Output", settings->finetune.state);
  return [settings, &common] { FinetuneCommand(*settings, common); };
}

}  // namespace

extern const Command kFinetune;
const Command kFinetune = {
    .name = "finetune",
    .summary = "plain supervised fine-tuning of every weight, or of a mask (to make full and retain models)",
    .examples = "Example:\n  grin finetune --model M --data full.jsonl --epochs 5 --lr 2e-5 --out FULL",
    .set_up = SetUpFinetune,
    .processes = Processes::kTogether};

}  // namespace grin
