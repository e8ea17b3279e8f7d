#include "grin/io/weight_files.h"

namespace grin {

namespace fs = std::filesystem;

std::vector<fs::path> WeightFilesOf(const Checkpoint& checkpoint) {
  if (const auto* own = dynamic_cast<const HasWeightFiles*>(&checkpoint)) return own->WeightFiles();
  if (!fs::is_directory(checkpoint.path())) return {checkpoint.path()};
  std::vector<fs::path> files;
  for (const Shard& shard : checkpoint.shards()) {
    files.push_back(checkpoint.path() / shard.file_name);
  }
  return files;
}

}  // namespace grin
