// grin eval: did it forget, and only that?

#include "grin/cli/command.h"
#include "grin/cli/results_summary.h"
#include "grin/run/evaluate.h"

namespace grin {
namespace {

struct EvalSettings {
  WorkspaceOptions where;
  EvaluateOptions evaluate;
};

void EvalCommand(EvalSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  Require(settings.evaluate.output.out, "--out");
  const Json results = Evaluate(settings.where, settings.evaluate);
  if (common.json) {
    PrintJson(SummaryOf(results));
  } else if (!common.quiet) {
    PrintResults(results);
  }
}

std::function<void()> SetUpEval(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<EvalSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Suite", settings->evaluate);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Output", settings->evaluate.output);
  return [settings, &common] { EvalCommand(*settings, common); };
}

}  // namespace

extern const Command kEval;
const Command kEval = {
    .name = "eval",
    .summary = "measure what a model knows: TOFU, WMDP, MMLU, SafePKU, MUSE, keywords, your own",
    .examples =
        "Examples:\n"
        "  grin eval --model RETAIN --suite tofu --data tofu/ --split forget10 --out retain.json\n"
        "  grin eval --model M --suite tofu --data tofu/ --split forget10 --reference retain.json "
        "--out m.json\n"
        "  grin eval --model M --suite wmdp --data wmdp/ --split bio --out bio.json\n"
        "  grin eval --model M --suite keywords --data forget=f.jsonl,retain=r.jsonl --out k.json\n"
        "An interrupted run goes on where it was: what is finished is kept in "
        "RESULTS.json.partial.",
    .set_up = SetUpEval,
    .processes = Processes::kTogether};

}  // namespace grin
