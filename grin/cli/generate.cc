// grin generate: greedy and sampled continuations.

#include "grin/run/generate.h"

#include <cstdio>

#include "grin/cli/command.h"

namespace grin {
namespace {

struct GenerateSettings {
  WorkspaceOptions where;
  GenerateOptions generate;
};

void GenerateCommand(GenerateSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  KeepOutputToRank0(common, settings.generate.output);
  CheckGenerate(settings.generate);
  const Workspace workspace = OpenWorkspace(settings.where);
  const std::vector<Json> answers = RunGenerate(workspace, settings.generate);
  if (!settings.generate.output.out.empty()) return;
  const bool plain = settings.generate.data.empty() && !common.json;
  for (const Json& answer : answers) {
    if (plain) {
      fmt::print("{}\n", answer["generated"].get<std::string>());
    } else {
      PrintJson(answer);
    }
  }
}

std::function<void()> SetUpGenerate(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<GenerateSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Generation", settings->generate);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Output", settings->generate.output);
  return [settings, &common] { GenerateCommand(*settings, common); };
}

}  // namespace

extern const Command kGenerate;
const Command kGenerate = {
    .name = "generate",
    .summary = "continue prompts, greedily or sampled",
    .examples =
        "Examples:\n"
        "  grin generate --model M --prompt \"Who wrote Hamlet?\"\n"
        "  grin generate --model M --data questions.jsonl --out answers.jsonl",
    .set_up = SetUpGenerate,
    .processes = Processes::kTogether};

}  // namespace grin
