// grin convert: GGUF, or another type of numbers, to a checkpoint directory.

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/io/write_checkpoint.h"

namespace grin {
namespace {

struct Options {
  std::string source;
  OutputOptions output;
};

std::optional<DType> StoredType(const std::string& name) {
  if (name.empty()) return std::nullopt;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == TorchDTypeName(dtype)) return dtype;
  }
  BadUsage("convert", "--dtype '{}' is not known; it is float32, float16 or bfloat16", name);
}

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  const auto source = Checkpoint::Open(options.source);
  const WriteOptions write{.float_dtype = StoredType(common.dtype)};
  AtomicDirectory directory(options.output.out, options.output.force);
  WriteCheckpoint(*source, directory.path(), {}, write);
  Json document = Provenance("convert", recipe);
  document["inputs"] = {{"model", source->path().string()}};
  WriteFile(directory.path() / "grin.json", document.dump(2) + "\n");
  directory.Commit();
  const auto written = Checkpoint::Open(options.output.out);
  Info("wrote {}", written->Describe());
  PrintJson(common, {{"out", options.output.out}, {"tensors", written->tensors().size()}});
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Positional("SOURCE", options->source, "a .gguf file or a checkpoint directory");
  flags.Bind("Output", options->output);
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kConvert;
const Command kConvert = {
    .name = "convert",
    .summary = "write a GGUF file, or a checkpoint in another type, as a checkpoint directory",
    .examples = "Examples:\n"
                "  grin convert model.gguf --out model --dtype bfloat16\n"
                "Without --dtype float types are kept, and quantised tensors become float32.",
    .set_up = SetUp};

}  // namespace grin
