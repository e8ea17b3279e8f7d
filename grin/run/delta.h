#pragma once
// The difference of two checkpoints as a file: only the changed weights. It is put on its base, or
// taken off again, to the very bytes. For the file see docs/formats.md.

#include <string>
#include <vector>

#include "grin/io/checkpoint.h"
#include "grin/run/options.h"

namespace grin {

struct DeltaReport {
  int64_t weights = 0, changed = 0;  // compared, and different
  int64_t bytes = 0;                 // of the file
  // Files beside the weights that differ or are in one of the two only. They are not in the delta.
  std::vector<std::string> other_files;
};

// Writes what `result` has otherwise than `base`. Error (bad input) when their tensors have other
// names, shapes or types. Warns of other files that differ.
DeltaReport WriteDelta(const Checkpoint& base, const Checkpoint& result,
                       const OutputOptions& output);

struct ApplyOptions {
  std::string delta;  // file
  std::string model;  // its base; with `remove` what the delta was put on
  bool remove = false;
  OutputOptions output;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("model", model, "the delta's base: a checkpoint; with --remove what it was put on");
    visit("remove", remove, "take the delta off again");
  }
};

// Writes the model with the delta on it, or off it, as a checkpoint directory with a grin.json.
// Returns what that says. Error (bad input) for a file that is no whole delta, or a model that is
// not the one that it was made from; then nothing is written.
Json ApplyDelta(const ApplyOptions& options);

// What a delta file says of itself: its metadata. Error (bad input) when it is none.
Json DescribeDelta(const std::string& path);

}  // namespace grin
