// grin convert: GGUF, or another type of numbers, to a checkpoint directory; a checkpoint to GGUF.

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/gguf/export.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/gguf/quantize.h"
#include "grin/io/write_checkpoint.h"

namespace grin {
namespace {

struct ConvertOptions {
  std::string to = "checkpoint";
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("to", to, "checkpoint: a directory; gguf: one file, for llama.cpp and its kin");
  }
};

struct Options {
  std::string source;
  ConvertOptions convert;
  OutputOptions output;
};

std::optional<DType> StoredType(const std::string& name) {
  if (name.empty()) return std::nullopt;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == TorchDTypeName(dtype)) return dtype;
  }
  BadUsage("convert", "--dtype '{}' is not known; it is float32, float16 or bfloat16", name);
}

void ToGguf(const Options& options, const CommonOptions& common) {
  std::optional<GgufType> type;
  if (!common.dtype.empty()) {
    type = WritableGgufType(common.dtype);
    if (!type) {
      BadUsage("convert", "--dtype '{}' is not known; with --to gguf it is one of {}", common.dtype,
               WritableGgufTypes());
    }
  }
  if (std::filesystem::is_directory(options.output.out)) {
    BadInput("convert", "{}: is a directory; with --to gguf --out names a file",
             options.output.out);
  }
  const auto source = OpenCheckpoint(options.source);
  WriteGguf(*source, options.output.out, type);
  Info("wrote {}", options.output.out);
  PrintJson(common, {{"out", options.output.out}, {"tensors", source->tensors().size()}});
}

void ToCheckpoint(const Options& options, const CommonOptions& common, const Json& recipe) {
  const auto source = OpenCheckpoint(options.source);
  const WriteOptions write{.float_dtype = StoredType(common.dtype)};
  AtomicDirectory directory(options.output.out, options.output.force);
  WriteCheckpoint(*source, directory.path(), {}, write);
  Json document = Provenance("convert", recipe);
  document["inputs"] = {{"model", source->path().string()}};
  WriteFile(directory.path() / "grin.json", document.dump(2) + "\n");
  directory.Commit();
  const auto written = OpenCheckpoint(options.output.out);
  Info("wrote {}", written->Describe());
  PrintJson(common, {{"out", options.output.out}, {"tensors", written->tensors().size()}});
}

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  if (options.convert.to == "gguf") {
    ToGguf(options, common);
  } else if (options.convert.to == "checkpoint") {
    ToCheckpoint(options, common, recipe);
  } else {
    BadUsage("convert", "--to '{}' is not known; it is checkpoint or gguf", options.convert.to);
  }
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Positional("SOURCE", options->source, "a .gguf file or a checkpoint directory");
  flags.Bind("Output", options->convert);
  flags.Bind("Output", options->output);
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
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
    .set_up = SetUp};

}  // namespace grin
