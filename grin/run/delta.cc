#include "grin/run/delta.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/printable.h"
#include "grin/base/progress.h"
#include "grin/base/version.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/compress.h"
#include "grin/io/decompress.h"
#include "grin/io/weights_digest.h"
#include "grin/io/write_checkpoint.h"
#include "grin/run/compare.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

constexpr std::string_view kFormat = "grin-delta-1";
constexpr std::string_view kPositions = ".positions", kValues = ".values", kUndo = ".undo";

// What is written of one tensor besides its values.
struct ChangedTensor {
  TensorInfo info;
  int64_t changed = 0;
  std::string undo;  // see UndoOf

  bool wide() const { return info.elements() > std::numeric_limits<int32_t>::max(); }
};

std::vector<int64_t> ChangedPositions(const Checkpoint& base, const Checkpoint& result,
                                      const TensorInfo& info) {
  std::vector<int64_t> positions;
  ForEachDifference(base.Read(info.name).bytes, result.Read(info.name).bytes, DTypeSize(info.dtype),
                    [&](int64_t at) { positions.push_back(at); });
  return positions;
}

std::vector<std::byte> ElementsAt(std::span<const std::byte> bytes, int64_t size,
                                  const std::vector<int64_t>& positions) {
  std::vector<std::byte> elements(positions.size() * static_cast<size_t>(size));
  for (size_t i = 0; i < positions.size(); ++i) {
    std::memcpy(elements.data() + static_cast<int64_t>(i) * size,
                bytes.data() + positions[i] * size, static_cast<size_t>(size));
  }
  return elements;
}

// The exclusive or of old and new elements: it leads from either to the other. First the first byte
// of every element, then the second, ...: of small changes the upper bytes are nearly all 0, which
// compresses well only where they lie together.
std::string UndoOf(const std::vector<std::byte>& before, const std::vector<std::byte>& after,
                   int64_t size) {
  const size_t count = before.size() / static_cast<size_t>(size);
  std::string planes(before.size(), '\0');
  for (size_t i = 0; i < before.size(); ++i) {
    const size_t element = i / static_cast<size_t>(size), byte = i % static_cast<size_t>(size);
    planes[byte * count + element] = static_cast<char>(before[i] ^ after[i]);
  }
  return CompressZstd(planes);
}

// Names of files beside the weights that are not the same in both. JSON is compared by what it
// says.
std::vector<std::string> OtherFiles(const Checkpoint& base, const Checkpoint& result) {
  const auto texts = [](const Checkpoint& checkpoint) {
    std::map<std::string, std::string> files;
    for (const SideFile& file : checkpoint.side_files()) {
      std::string text = file.text ? *file.text : ReadFile(file.path);
      if (file.name.ends_with(".json")) {
        const Json json = Json::parse(text, nullptr, false);
        if (!json.is_discarded()) text = nlohmann::json(json).dump();  // keys in one order
      }
      files[file.name] = std::move(text);
    }
    return files;
  };
  const auto here = texts(base), there = texts(result);
  std::vector<std::string> differ;
  for (const auto& [name, text] : here) {
    const auto found = there.find(name);
    if (found == there.end() || found->second != text) differ.push_back(name);
  }
  for (const auto& [name, text] : there) {
    if (!here.contains(name)) differ.push_back(name);
  }
  std::ranges::sort(differ);
  return differ;
}

void WarnOfOtherFiles(const std::string& delta, const std::vector<std::string>& files) {
  if (files.empty()) return;
  Warn("{}: a delta holds weights alone; not the same beside them, and not in it: {}", delta,
       fmt::join(files, ", "));
}

struct Changes {
  std::vector<ChangedTensor> tensors;
  int64_t weights = 0, changed = 0;
  std::string base_sha, result_sha;
};

Changes FindChanges(const Checkpoint& base, const Checkpoint& result) {
  CheckSameTensors(base, result);
  Changes changes;
  WeightsDigest base_digest, result_digest;
  Progress progress("delta", static_cast<int64_t>(base.tensors().size()));
  for (const TensorInfo& info : base.tensors()) {
    ThrowIfInterrupted();
    const TensorBytes before = base.Read(info.name), after = result.Read(info.name);
    base_digest.Add(info, before.bytes);
    result_digest.Add(info, after.bytes);
    const int64_t size = DTypeSize(info.dtype);
    const std::vector<int64_t> positions = ChangedPositions(base, result, info);
    changes.weights += info.elements();
    changes.changed += static_cast<int64_t>(positions.size());
    if (!positions.empty()) {
      changes.tensors.push_back({info, static_cast<int64_t>(positions.size()),
                                 UndoOf(ElementsAt(before.bytes, size, positions),
                                        ElementsAt(after.bytes, size, positions), size)});
    }
    progress.Add(1);
  }
  std::ranges::sort(changes.tensors, {}, [](const ChangedTensor& one) { return one.info.name; });
  changes.base_sha = base_digest.Finish();
  changes.result_sha = result_digest.Finish();
  return changes;
}

// One tensor of the file, and what it holds.
struct DeltaPart {
  TensorInfo info;
  const ChangedTensor* of;
  std::string_view kind;
};

// Wide elements first, so that each tensor is aligned for its type.
std::vector<DeltaPart> PartsOfDelta(const Changes& changes) {
  std::vector<DeltaPart> parts;
  for (const ChangedTensor& one : changes.tensors) {
    const auto add = [&](std::string_view kind, DType type, int64_t count) {
      parts.push_back({{one.info.name + std::string(kind), type, {count}}, &one, kind});
    };
    add(kPositions, one.wide() ? DType::kI64 : DType::kI32, one.changed);
    add(kValues, one.info.dtype, one.changed);
    add(kUndo, DType::kU8, static_cast<int64_t>(one.undo.size()));
  }
  std::ranges::stable_sort(parts, std::greater<>(),
                           [](const DeltaPart& part) { return DTypeSize(part.info.dtype); });
  return parts;
}

void WritePart(const DeltaPart& part, const Checkpoint& base, const Checkpoint& result,
               SafetensorsWriter& writer) {
  const ChangedTensor& of = *part.of;
  if (part.kind == kUndo) return writer.Write(std::as_bytes(std::span(of.undo)));
  const std::vector<int64_t> positions = ChangedPositions(base, result, of.info);
  if (part.kind == kValues) {
    return writer.Write(
        ElementsAt(result.Read(of.info.name).bytes, DTypeSize(of.info.dtype), positions));
  }
  if (of.wide()) return writer.Write(std::as_bytes(std::span(positions)));
  const std::vector<int32_t> narrow(positions.begin(), positions.end());
  writer.Write(std::as_bytes(std::span(narrow)));
}

// A delta file that was checked: its changes by tensor.
class DeltaFile {
 public:
  explicit DeltaFile(const std::string& path) : file_(path) {
    const std::string* format = file_.FindMetadata("format");
    if (!format || *format != kFormat) {
      BadInput("delta",
               "{}: is no delta: its metadata have no format={}; grin diff A B --out "
               "writes one",
               path, kFormat);
    }
    for (size_t i = 0; i < file_.tensors().size(); ++i) {
      const std::string& name = file_.tensors()[i].name;
      if (!name.ends_with(kPositions)) continue;
      tensors_.push_back(name.substr(0, name.size() - kPositions.size()));
    }
    if (tensors_.size() * 3 != file_.tensors().size()) {
      BadInput("delta", "{}: is damaged: it has {} tensors, of which {} hold positions", path,
               file_.tensors().size(), tensors_.size());
    }
  }

  const std::string& Metadata(std::string_view key) const {
    const std::string* value = file_.FindMetadata(key);
    if (!value) BadInput("delta", "{}: its metadata have no {}", file_.path().string(), key);
    return *value;
  }
  const std::vector<std::string>& tensors() const { return tensors_; }
  const SafetensorsFile& file() const { return file_; }

  // Changes a tensor of the model: to the delta's values or, to take it off, to those before.
  void Change(const TensorInfo& info, bool remove, std::span<std::byte> bytes) const {
    if (file_.Find(info.name + std::string(kPositions)) < 0) return;
    const std::vector<int64_t> positions = Positions(info);
    const auto size = static_cast<size_t>(DTypeSize(info.dtype));
    const std::span<const std::byte> values = Part(info, kValues, info.dtype, positions.size());
    std::string undo;
    if (remove) {
      const std::span<const std::byte> packed = Part(info, kUndo, DType::kU8, std::nullopt);
      undo = Unzstd({reinterpret_cast<const char*>(packed.data()), packed.size()},
                    file_.path().string());
      if (undo.size() != values.size()) Damaged(info, "the way back has another size");
    }
    for (size_t i = 0; i < positions.size(); ++i) {
      std::byte* element = bytes.data() + static_cast<size_t>(positions[i]) * size;
      for (size_t byte = 0; byte < size; ++byte) {
        element[byte] = values[i * size + byte];
        if (remove) {
          element[byte] ^= static_cast<std::byte>(undo[byte * positions.size() + i]);
        }
      }
    }
  }

 private:
  [[noreturn]] void Damaged(const TensorInfo& info, std::string_view what) const {
    BadInput("delta", "{}: is damaged: {} of {}", file_.path().string(), what,
             Printable(info.name));
  }

  std::span<const std::byte> Part(const TensorInfo& info, std::string_view kind, DType type,
                                  std::optional<size_t> count) const {
    const int64_t index = file_.Find(info.name + std::string(kind));
    if (index < 0) Damaged(info, "a part is missing");
    const TensorInfo& part = file_.tensors()[static_cast<size_t>(index)];
    if (part.dtype != type || part.shape.size() != 1 ||
        (count && part.elements() != static_cast<int64_t>(*count))) {
      Damaged(info, "a part has another type or size");
    }
    return file_.Bytes(index);
  }

  // Ascending, within the tensor.
  std::vector<int64_t> Positions(const TensorInfo& info) const {
    const std::string name = info.name + std::string(kPositions);
    const TensorInfo& part = file_.tensors()[static_cast<size_t>(file_.Find(name))];
    const bool wide = part.dtype == DType::kI64;
    const std::span<const std::byte> bytes =
        Part(info, kPositions, wide ? DType::kI64 : DType::kI32, std::nullopt);
    std::vector<int64_t> positions(static_cast<size_t>(part.elements()));
    int64_t last = -1;
    for (size_t i = 0; i < positions.size(); ++i) {
      if (wide) {
        std::memcpy(&positions[i], bytes.data() + 8 * i, 8);
      } else {
        int32_t narrow;
        std::memcpy(&narrow, bytes.data() + 4 * i, 4);
        positions[i] = narrow;
      }
      if (positions[i] <= last || positions[i] >= info.elements()) {
        Damaged(info, "positions are not ascending, or beyond the end");
      }
      last = positions[i];
    }
    return positions;
  }

  SafetensorsFile file_;
  std::vector<std::string> tensors_;
};

// Error where `model` is not what the delta is to be put on, or taken off.
void CheckBase(const DeltaFile& delta, const Checkpoint& model, bool remove) {
  const std::string here = WeightsSha256(model);
  const std::string& wanted = delta.Metadata(remove ? "result_sha256" : "base_sha256");
  if (here == wanted) return;
  const std::string file = delta.file().path().string(), path = model.path().string();
  if (here == delta.Metadata(remove ? "base_sha256" : "result_sha256")) {
    BadInput("delta", "{}: {}", path,
             remove ? fmt::format("does not have {} on it: it is its base", file)
                    : fmt::format("has {} on it already; --remove takes it off", file));
  }
  BadInput("delta", "{}: is not {} {}: its weights have SHA-256 {:.16}..., those have {:.16}...",
           path, remove ? "the result of" : "the base of", file, here, wanted);
}

}  // namespace

DeltaReport WriteDelta(const Checkpoint& base, const Checkpoint& result,
                       const OutputOptions& output) {
  CheckOutput(output, OutputKind::kFile);
  const Changes changes = FindChanges(base, result);
  DeltaReport report{.weights = changes.weights, .changed = changes.changed};
  report.other_files = OtherFiles(base, result);
  WarnOfOtherFiles(output.out, report.other_files);
  const std::vector<DeltaPart> parts = PartsOfDelta(changes);
  std::vector<TensorInfo> infos;
  for (const DeltaPart& part : parts) {
    infos.push_back(part.info);
    report.bytes += part.info.byte_size();
  }
  CheckSpace(output.out, report.bytes);
  SafetensorsWriter writer(output.out, infos,
                           {{"format", std::string(kFormat)},
                            {"base_sha256", changes.base_sha},
                            {"result_sha256", changes.result_sha},
                            {"weights", std::to_string(changes.weights)},
                            {"changed", std::to_string(changes.changed)},
                            {"other_files", Json(report.other_files).dump()},
                            {"grin_version", std::string(Version())}});
  for (const DeltaPart& part : parts) {
    ThrowIfInterrupted();
    WritePart(part, base, result, writer);
  }
  writer.Commit();
  report.bytes = static_cast<int64_t>(std::filesystem::file_size(output.out));
  return report;
}

Json ApplyDelta(const ApplyOptions& options) {
  if (options.model.empty()) BadUsage("delta", "--model is required; see --help");
  CheckOutput(options.output, OutputKind::kDirectory);
  const DeltaFile delta(options.delta);
  const auto model = OpenCheckpoint(options.model);
  CheckBase(delta, *model, options.remove);
  const Json other_files = Json::parse(delta.Metadata("other_files"), nullptr, false);
  if (other_files.is_array()) {
    std::vector<std::string> names;
    for (const Json& name : other_files)
      if (name.is_string()) names.push_back(Printable(name.get<std::string>()));
    WarnOfOtherFiles(options.delta, names);
  }
  Json document = Provenance("apply", {{"delta", ValidUtf8(options.delta)},
                                       {"model", ValidUtf8(options.model)},
                                       {"remove", options.remove}});
  const std::string& wanted = delta.Metadata(options.remove ? "base_sha256" : "result_sha256");
  document["inputs"] = {{"model", ValidUtf8(model->path().string())}};
  document["weights_sha256"] = wanted;
  document["changed"] = delta.Metadata("changed");
  CheckSpace(options.output.out, CheckpointBytes(*model));
  AtomicDirectory directory(options.output.out, options.output.force);
  WriteFile(directory.path() / "grin.json", document.dump(2) + "\n");
  WeightsDigest digest;
  WriteCheckpoint(*model, directory.path(),
                  [&](const TensorInfo& info, std::span<std::byte> bytes) {
                    ThrowIfInterrupted();
                    delta.Change(info, options.remove, bytes);
                    digest.Add(info, bytes);
                  });
  if (digest.Finish() != wanted) {
    BadInput("delta", "{}: is damaged: with it {} does not become what its metadata say",
             options.delta, options.model);
  }
  directory.Commit();
  return document;
}

Json DescribeDelta(const std::string& path) {
  const DeltaFile delta(path);
  Json description = Json::object();
  for (const auto& [key, value] : delta.file().metadata()) description[key] = value;
  description["tensors"] = delta.tensors().size();
  return description;
}

}  // namespace grin
