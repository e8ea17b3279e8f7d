// grin perturb: noise into the weights of a mask, without training.

#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/locate/locate.h"
#include "grin/tune/perturb_stage.h"

namespace grin {
namespace {

struct MaskOptions {
  std::string mask;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "mask file that `grin locate` wrote");
  }
};

struct Options {
  ModelOptions model;
  MaskOptions mask;
  PerturbOptions perturb;
  OutputOptions output;
};

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  Require(options.mask.mask, "--mask");
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  Require(options.model.model, "--model");
  const auto checkpoint = OpenCheckpoint(options.model.model);
  const Model model = LoadModel(checkpoint);
  const Mask mask = Mask::Load(options.mask.mask);
  Trainable trainable(model, mask);
  Perturb(model, trainable, options.perturb, common.seed);
  Json document = Provenance("perturb", recipe);
  document["inputs"] = {{"model", checkpoint->path().string()},
                        {"mask", DescribeInput(options.mask.mask, mask.count())}};
  document["mask"] = DescribeMask(mask);
  WriteOutput(options.output, *checkpoint, &trainable, document, &mask, {});
  Info("wrote {}: noise on {} of {} weights", options.output.out, mask.count(), mask.total());
  PrintJson(common, document);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->mask);
  flags.Bind("Perturb", options->perturb);
  flags.Bind("Output", options->output);
  flags.IgnoreInConfig<TaskOptions>();
  flags.IgnoreInConfig<DataOptions>();
  flags.IgnoreInConfig<LocateOptions>();
  flags.IgnoreInConfig<ObjectiveOptions>();
  flags.IgnoreInConfig<StepOptions>();
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kPerturb;
const Command kPerturb = {
    .name = "perturb",
    .summary = "inject noise into the weights of a mask, and nothing else",
    .examples = "Example:\n  grin perturb --model M --mask mask.safetensors --noise 0.5 --out OUT",
    .set_up = SetUp};

}  // namespace grin
