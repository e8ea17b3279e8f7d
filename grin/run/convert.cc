#include "grin/run/convert.h"

#include <optional>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/gguf/export.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/gguf/quantize.h"
#include "grin/io/write_checkpoint.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

std::optional<DType> StoredType(const std::string& name) {
  if (name.empty()) return std::nullopt;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == TorchDTypeName(dtype)) return dtype;
  }
  BadUsage("convert", "--dtype '{}' is not known; it is float32, float16 or bfloat16", name);
}

std::optional<GgufType> StoredGgufType(const std::string& name) {
  if (name.empty()) return std::nullopt;
  const std::optional<GgufType> type = WritableGgufType(name);
  if (type) return type;
  BadUsage("convert", "--dtype '{}' is not known; with --to gguf it is one of {}", name,
           WritableGgufTypes());
}

int64_t GgufBytes(const Checkpoint& source, std::optional<GgufType> type) {
  if (!type) return CheckpointBytes(source);
  const GgufTypeTraits& traits = TraitsOf(*type);
  int64_t bytes = 0;
  for (const TensorInfo& info : source.tensors()) {
    bytes += info.elements() / traits.block_elements * traits.block_bytes;
  }
  return bytes;
}

ConvertReport ToGguf(const ConvertOptions& options) {
  const std::optional<GgufType> type = StoredGgufType(options.dtype);
  const Reservation place = ReserveOutput(options.output, OutputKind::kFile);
  const auto source = OpenCheckpoint(options.source);
  CheckSpace(options.output.out, GgufBytes(*source, type));
  WriteGguf(*source, options.output.out, type);
  return {static_cast<int64_t>(source->tensors().size()), options.output.out};
}

ConvertReport ToCheckpoint(const ConvertOptions& options) {
  const WriteOptions write{.float_dtype = StoredType(options.dtype)};
  CheckOutput(options.output, OutputKind::kDirectory);
  AtomicDirectory directory(options.output.out, options.output.force);
  const auto source = OpenCheckpoint(options.source);
  Json recipe = {{"source", ValidUtf8(options.source)}, {"to", options.to}};
  recipe["dtype"] = options.dtype;
  Json document = Provenance("convert", recipe);
  document["inputs"] = {{"model", ValidUtf8(source->path().string())}};
  CheckSpace(options.output.out, CheckpointBytes(*source, write.float_dtype));
  WriteFile(directory.path() / "grin.json", document.dump(2) + "\n");
  WriteCheckpoint(*source, directory.path(), {}, write);
  directory.Commit();
  const auto written = OpenCheckpoint(options.output.out);
  return {static_cast<int64_t>(written->tensors().size()), written->Describe()};
}

}  // namespace

ConvertReport RunConvert(const ConvertOptions& options) {
  if (options.to != "gguf" && options.to != "checkpoint") {
    BadUsage("convert", "--to '{}' is not known; it is checkpoint or gguf", options.to);
  }
  const ConvertReport report =
      options.to == "gguf" ? ToGguf(options) : ToCheckpoint(options);
  Info("wrote {}", report.description);
  return report;
}

}  // namespace grin
