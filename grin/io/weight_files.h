#pragma once
// Which files a checkpoint's weights come from: what a change of the weights shows in.

#include <filesystem>
#include <vector>

#include "grin/io/checkpoint.h"

namespace grin {

// A checkpoint whose weights are not in shards of its own folder, nor in one file: an adapter's are
// its base's and its own.
class HasWeightFiles {
 public:
  virtual ~HasWeightFiles() = default;
  virtual std::vector<std::filesystem::path> WeightFiles() const = 0;
};

// The files of any checkpoint. Those of a directory's shards come first, in their order.
std::vector<std::filesystem::path> WeightFilesOf(const Checkpoint& checkpoint);

}  // namespace grin
