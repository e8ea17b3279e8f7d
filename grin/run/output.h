#pragma once
// Where results go. What can fail at the end is tried before the work begins: the place, the room on
// the disk, and what grin.json says.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/base/reservation.h"
#include "grin/io/checkpoint.h"
#include "grin/locate/mask.h"
#include "grin/run/options.h"
#include "grin/tune/trainable.h"

namespace grin {

enum class OutputKind { kFile, kDirectory };

// Reserves the place of an output until it goes; nothing is left there. Error (usage) without a name,
// (bad input) when the place exists and is not to be replaced, or cannot be written. With --force a
// directory is replaced only where it is empty or holds a checkpoint or a result of a run.
Reservation ReserveOutput(const OutputOptions& output, OutputKind kind);

// The same before anything else is done, where the place is reserved later.
void CheckOutput(const OutputOptions& output, OutputKind kind);

// Error (bad input) when the file system takes no file of this name.
void CheckFileName(const std::filesystem::path& path);

// Bytes that are left on the disk under `place`; infinite where that is not known.
double FreeSpace(const std::filesystem::path& place);

// Error (bad input) when the disk under `place` has less room than that.
void CheckSpace(const std::filesystem::path& place, int64_t bytes);

// Bytes of a checkpoint that is written like `source`, with float tensors in `float_dtype` where that
// is given.
int64_t CheckpointBytes(const Checkpoint& source, std::optional<DType> float_dtype = {});

// Bytes of the whole output directory of a run on `source`, generously.
int64_t OutputBytes(const Checkpoint& source);

// The output directory of a run: a complete checkpoint with grin.json, mask, log and report.
class OutputDirectory {
 public:
  // Reserves the place, checks the room for a checkpoint like `source`, and writes a first grin.json
  // there. `source` must outlive this.
  OutputDirectory(const OutputOptions& output, const Checkpoint& source, const Json& document);

  // Writes the checkpoint with the entries of `trainable` replaced, the complete grin.json and, where
  // given, the mask, and the log with a report of it; then puts the directory in its place.
  void Write(Trainable* trainable, const Json& document, const Mask* mask,
             const std::vector<Json>& log);

 private:
  OutputOptions output_;
  const Checkpoint& source_;
  AtomicDirectory directory_;
};

}  // namespace grin
