// grin loglik: per-token log-probabilities.

#include "grin/run/loglik.h"

#include <cstdio>

#include "grin/cli/command.h"
#include "grin/run/output.h"

namespace grin {
namespace {

struct LoglikSettings {
  WorkspaceOptions where;
  LoglikOptions loglik;
};

void LoglikCommand(LoglikSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  KeepOutputToRank0(common, settings.loglik.output);
  Require(settings.loglik.data, "--data");
  const OutputOptions& output = settings.loglik.output;
  if (!output.out.empty()) CheckOutput(output, OutputKind::kFile);
  Workspace workspace = OpenModel(settings.where);
  RunLoglik(workspace, settings.loglik, [](std::string_view line) { fmt::print("{}", line); });
}

std::function<void()> SetUpLoglik(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<LoglikSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->loglik);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Output", settings->loglik.output);
  return [settings, &common] { LoglikCommand(*settings, common); };
}

}  // namespace

extern const Command kLoglik;
const Command kLoglik = {
    .name = "loglik",
    .summary = "log-probabilities of the scored tokens of each record, as JSON Lines",
    .examples =
        "Examples:\n"
        "  grin loglik --model M --data questions.jsonl --out scores.jsonl\n"
        "Each line: {\"tokens\": [...], \"logprobs\": [...], \"argmax\": [...]} at the scored "
        "positions. Without --out they go to stdout.",
    .set_up = SetUpLoglik,
    .processes = Processes::kTogether};

}  // namespace grin
