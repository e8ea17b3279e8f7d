#pragma once
// Writing a checkpoint that differs from its source in nothing but the weights that were changed.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>

#include "grin/io/checkpoint.h"

namespace grin {

struct WriteOptions {
  // Stores every float tensor (F64, F32, F16, BF16) in this type, and says so in config.json.
  // Without it types stay as they are.
  std::optional<DType> float_dtype;
};

// Changes a tensor's bytes in place; they are in the type that TensorInfo names.
using EditTensor = std::function<void(const TensorInfo& tensor, std::span<std::byte> bytes)>;

// Writes `source` into the existing directory `dir`: the same files, tensors, names, order, shards
// and metadata. `edit`, which may be empty, sees one tensor at a time, and memory holds no more
// than that one. What it leaves alone is bit-identical to the source. Error (bad input) when the
// directory cannot be written.
void WriteCheckpoint(const Checkpoint& source, const std::filesystem::path& dir,
                     const EditTensor& edit, const WriteOptions& options = {});

}  // namespace grin
