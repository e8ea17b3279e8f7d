// grin finetune: the same loop with the plain loss and no mask.

#include "grin/base/progress.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"

namespace grin {
namespace {

struct FinetuneData {
  std::string data;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List("data", data, "what the model is to learn: questions and answers, or text");
  }
};

struct Options {
  ModelOptions model;
  FinetuneData input;
  DataOptions data;
  StepOptions steps;
  OutputOptions output;
};

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  const Progress clock("", 0);
  Require(options.input.data, "--data");
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  Workspace workspace = OpenWorkspace(common, options.model, options.data);
  const auto examples = LoadExamples(options.input.data, options.data.columns);
  const auto sequences = workspace.encoder->EncodeAll(examples);
  const int64_t pass_tokens =
      RecordedPassTokens(workspace.model, common, 0, LongestOf(sequences));
  Trainable trainable = Trainable::Everything(workspace.model);
  const TuneReport tuned = Finetune(workspace.model, trainable, sequences, options.steps,
                                    common.seed, pass_tokens);
  Json document = Provenance("finetune", recipe);
  document["inputs"] = {
      {"data", DescribeInput(options.input.data, static_cast<int64_t>(examples.size()))}};
  document["cost"] = {{"tune_seconds", tuned.seconds}};
  FinishTraining(common, options.output, workspace, trainable, nullptr, tuned, clock, document);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  options->steps.lr = 2e-5;
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->input);
  flags.Bind("Input", options->data);
  flags.Bind("Steps", options->steps);
  flags.Bind("Output", options->output);
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kFinetune;
const Command kFinetune = {
    .name = "finetune",
    .summary = "plain supervised fine-tuning of every weight (to make full and retain models)",
    .examples = "Example:\n  grin finetune --model M --data full.jsonl --epochs 5 --lr 2e-5 --out FULL",
    .set_up = SetUp};

}  // namespace grin
