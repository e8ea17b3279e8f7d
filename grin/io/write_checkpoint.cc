#include "grin/io/write_checkpoint.h"

#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"
#include "grin/io/weight_files.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexName = "model.safetensors.index.json";

bool Converts(const TensorInfo& tensor, const WriteOptions& options) {
  return options.float_dtype && IsFloat(tensor.dtype) && tensor.dtype != *options.float_dtype;
}

bool ConvertsAny(const Checkpoint& source, const WriteOptions& options) {
  for (const TensorInfo& tensor : source.tensors()) {
    if (Converts(tensor, options)) return true;
  }
  return false;
}

std::vector<TensorInfo> StoredTensors(const Checkpoint& source, const Shard& shard,
                                      const WriteOptions& options) {
  std::vector<TensorInfo> stored;
  for (size_t i = shard.first; i < shard.first + shard.count; ++i) {
    stored.push_back(source.tensors()[i]);
    if (Converts(stored.back(), options)) stored.back().dtype = *options.float_dtype;
  }
  return stored;
}

// Memory for a tensor on its way, kept from one to the next: fresh pages for each of them would take
// as long as the writing.
struct TensorBuffers {
  std::vector<std::byte> edited, converted;
};

void WriteTensor(const Checkpoint& source, const TensorInfo& tensor, DType stored,
                 const EditTensor& edit, TensorBuffers& buffers, SafetensorsWriter& writer) {
  const TensorBytes original = source.Read(tensor.name);
  std::span<const std::byte> bytes = original.bytes;
  auto& [edited, converted] = buffers;
  if (edit) {
    edited.assign(bytes.begin(), bytes.end());
    edit(tensor, edited);
    bytes = edited;
  }
  if (stored != tensor.dtype) {
    converted.resize(static_cast<size_t>(tensor.elements() * DTypeSize(stored)));
    if (const int64_t lost = ConvertFloats(tensor.dtype, bytes, stored, converted); lost > 0) {
      BadInput("io", "{}: tensor '{}': {} of its values are too large for {}; use bf16 or f32",
               source.path().string(), Printable(tensor.name), lost, DTypeName(stored));
    }
    bytes = converted;
  }
  writer.Write(bytes);
}

void WriteShard(const Checkpoint& source, size_t index, const fs::path& dir, const EditTensor& edit,
                const WriteOptions& options, bool same_types) {
  const Shard& shard = source.shards()[index];
  const std::vector<TensorInfo> stored = StoredTensors(source, shard, options);
  const fs::path path = dir / shard.file_name;
  const SafetensorsFile* original = source.ShardFile(index);
  // The source's own header keeps even its order of names and its padding.
  SafetensorsWriter writer = original && same_types
                                 ? SafetensorsWriter(path, *original)
                                 : SafetensorsWriter(path, stored, shard.metadata);
  TensorBuffers buffers;
  for (size_t i = 0; i < shard.count; ++i) {
    WriteTensor(source, source.tensors()[shard.first + i], stored[i].dtype, edit, buffers, writer);
  }
  writer.Commit();
}

// The index of the source, or one made from its shards, with the size as it is now.
void WriteIndex(const Checkpoint& source, const fs::path& dir, const WriteOptions& options,
                bool same_types) {
  if (source.shards().size() == 1 && source.shards()[0].file_name == "model.safetensors") return;
  // An adapter's base has it, which is another folder than the source's.
  const fs::path original = WeightFilesOf(source).front().parent_path() / kIndexName;
  if (same_types) return WriteFile(dir / kIndexName, ReadFile(original));
  Json index = ReadJsonObject(original);
  int64_t total = 0;
  for (const Shard& shard : source.shards()) {
    for (const TensorInfo& tensor : StoredTensors(source, shard, options)) {
      total += tensor.byte_size();
    }
  }
  index["metadata"]["total_size"] = total;
  WriteFile(dir / kIndexName, index.dump(2) + "\n");
}

// config.json with the stored type under the key it already uses for that.
std::string ConfigWithDType(const Checkpoint& source, DType dtype) {
  Json config = source.config();
  const char* key =
      config.contains("dtype") && !config.contains("torch_dtype") ? "dtype" : "torch_dtype";
  config[key] = std::string(TorchDTypeName(dtype));
  return config.dump(2) + "\n";
}

}  // namespace

void WriteCheckpoint(const Checkpoint& source, const fs::path& dir, const EditTensor& edit,
                     const WriteOptions& options) {
  if (options.float_dtype && !IsFloat(*options.float_dtype)) {
    Defect("io", "weights cannot be stored as {}", DTypeName(*options.float_dtype));
  }
  const bool same_types = !ConvertsAny(source, options);
  for (size_t i = 0; i < source.shards().size(); ++i) {
    WriteShard(source, i, dir, edit, options, same_types);
  }
  WriteIndex(source, dir, options, same_types);
  for (const SideFile& file : source.side_files()) {
    if (file.name == "config.json" && !same_types) {
      WriteFile(dir / file.name, ConfigWithDType(source, *options.float_dtype));
    } else {
      WriteFile(dir / file.name, file.text ? *file.text : ReadFile(file.path));
    }
  }
  for (const std::string& name : source.left_out()) {
    Warn("{}: {} is not copied: it is larger than 64 MiB and no part of the model that is known; "
         "copy it by hand where it is needed",
         source.path().string(), name);
  }
}

}  // namespace grin
