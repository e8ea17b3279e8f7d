#include "grin/engine/engine_key.h"

#include <fmt/ranges.h>

#include <filesystem>

#include "grin/base/hash.h"
#include "grin/io/weight_files.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Weights are too large to be read for this.
std::string WeightsKey(const Checkpoint& checkpoint) {
  std::string key;
  for (const fs::path& file : WeightFilesOf(checkpoint)) {
    std::error_code none;
    key += fmt::format(" {} {} {}", file.string(), fs::file_size(file, none),
                       fs::last_write_time(file, none).time_since_epoch().count());
  }
  return key;
}

std::string SideFilesKey(const Checkpoint& checkpoint) {
  std::string key;
  for (const SideFile& file : checkpoint.side_files()) {
    key += fmt::format(" {} {}", file.name,
                       file.text ? Fingerprint(*file.text) : FileFingerprint(file.path));
  }
  return key;
}

}  // namespace

std::string EngineKey(std::string_view version, std::string_view type, const Checkpoint& checkpoint,
                      const Encoder& encoder) {
  return Fingerprint(fmt::format("{} {}{}{} {} {} {}", version, type, WeightsKey(checkpoint),
                                 SideFilesKey(checkpoint), fmt::join(encoder.stop_tokens(), ","),
                                 encoder.repetition_penalty(),
                                 fmt::join(encoder.hidden_tokens(), ",")));
}

}  // namespace grin
