// grin unlearn: locate, perturb, tune.

#include "grin/run/unlearn.h"

#include "grin/cli/bind_stages.h"
#include "grin/cli/command.h"

namespace grin {
namespace {

struct UnlearnSettings {
  WorkspaceOptions where;
  TaskOptions task;
  UnlearnOptions unlearn;
};

void UnlearnCommand(UnlearnSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  Require(settings.unlearn.output.out, "--out");
  KeepOutputToRank0(common, settings.unlearn.output);
  CheckUnlearn(common.compute, settings.unlearn);
  Workspace workspace = OpenWorkspace(settings.where);
  const LoadedTask task = LoadTask(workspace, settings.task);
  const UnlearnResult result = Unlearn(workspace, task, settings.unlearn);
  PrintJson(common, result.document);
  if (common.ranks->first()) ThrowIfGuarded(result.tuned, settings.unlearn.output.out);
}

std::function<void()> SetUpUnlearn(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<UnlearnSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->task);
  flags.Bind("Input", settings->where.data);
  BindStages(flags, settings->unlearn);
  flags.Bind("Output", settings->unlearn.output);
  flags.Bind("Output", settings->unlearn.state);
  return [settings, &common] { UnlearnCommand(*settings, common); };
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
        "  grin unlearn --model M --forget F --retain R --surgery pcgrad --rehearse 2 --out OUT\n"
        "  grin unlearn --model M --forget F --retain R --method task-vector --before BASE --out OUT\n"
        "  grin unlearn --model OUT --mask OUT/mask.safetensors --method undo --forget F --retain R "
        "--out FIRM\n"
        "OUT is a complete checkpoint with grin.json (recipe and costs), mask.safetensors and "
        "log.jsonl.",
    .set_up = SetUpUnlearn,
    .processes = Processes::kTogether};

}  // namespace grin
