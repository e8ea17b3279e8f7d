#include "grin/io/model_fingerprint.h"

#include <fstream>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/io/weight_files.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Eight bytes at a time, as FNV-1a's one is slow for billions of weights. Multiplying moves nothing
// down; the shift does, or flipped signs could cancel each other.
uint64_t Mix(uint64_t state, uint64_t word) {
  state = (state ^ word) * 0x9e3779b97f4a7c15;
  return state ^ (state >> 32);
}

uint64_t MixFile(const fs::path& path, uint64_t state) {
  std::ifstream in(path, std::ios::binary);
  if (!in) BadInput("io", "{}: cannot be read", path.string());
  std::vector<uint64_t> buffer(1 << 17);  // 1 MiB
  auto* const bytes = reinterpret_cast<char*>(buffer.data());
  const auto room = static_cast<std::streamsize>(buffer.size() * sizeof(uint64_t));
  uint64_t length = 0;
  while (in.read(bytes, room), in.gcount() > 0) {
    const auto got = static_cast<size_t>(in.gcount());
    const size_t words = (got + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    std::fill(bytes + got, bytes + words * sizeof(uint64_t), '\0');
    for (size_t i = 0; i < words; ++i) state = Mix(state, buffer[i]);
    length += got;
  }
  if (in.bad()) BadInput("io", "{}: cannot be read to its end", path.string());
  return Mix(state, length);
}

}  // namespace

std::string ModelFingerprint(const Checkpoint& checkpoint) {
  uint64_t state = Fnv1a64(checkpoint.config().dump());
  for (const fs::path& file : WeightFilesOf(checkpoint)) state = MixFile(file, state);
  return fmt::format("{:016x}", state);
}

}  // namespace grin
