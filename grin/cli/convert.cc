// grin convert: GGUF, or another type of numbers, to a checkpoint directory; a checkpoint to GGUF.

#include "grin/run/convert.h"

#include "grin/cli/command.h"

namespace grin {
namespace {

void ConvertCommand(ConvertOptions options, const CommonOptions& common) {
  options.dtype = common.compute.dtype;
  Require(options.output.out, "--out");
  const ConvertReport report = RunConvert(options);
  PrintJson(common, {{"out", options.output.out}, {"tensors", report.tensors}});
}

std::function<void()> SetUpConvert(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<ConvertOptions>();
  flags.Positional("SOURCE", options->source, "a .gguf file or a checkpoint directory");
  flags.Bind("Output", *options);
  flags.Bind("Output", options->output);
  return [options, &common] { ConvertCommand(*options, common); };
}

}  // namespace

extern const Command kConvert;
const Command kConvert = {
    .name = "convert",
    .summary = "between GGUF and checkpoint directories, and to other types of numbers",
    .examples = "Examples:\n"
                "  grin convert model.gguf --out model --dtype bfloat16\n"
                "  grin convert model --to gguf --dtype q8_0 --out model-q8_0.gguf\n"
                "Without --dtype float types are kept, and quantised tensors become float32. With "
                "--to gguf it may also be q8_0 or q4_0.",
    .set_up = SetUpConvert,
    .heeds = "dtype"};

}  // namespace grin
