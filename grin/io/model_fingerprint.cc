#include "grin/io/model_fingerprint.h"

#include <algorithm>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

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

// Files are read in pieces of this size, each mixed from its own start, so that threads can share them.
constexpr uint64_t kPiece = uint64_t{64} << 20;

// Of bytes begin .. begin + kPiece, or to the end of the file.
uint64_t MixPiece(const fs::path& path, uint64_t begin) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(begin));
  std::vector<uint64_t> buffer(1 << 17);  // 1 MiB
  auto* const bytes = reinterpret_cast<char*>(buffer.data());
  const auto room = static_cast<std::streamsize>(buffer.size() * sizeof(uint64_t));
  uint64_t state = begin, length = 0;
  while (length < kPiece && (in.read(bytes, room), in.gcount() > 0)) {
    const auto got = static_cast<size_t>(in.gcount());
    const size_t words = (got + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    std::fill(bytes + got, bytes + words * sizeof(uint64_t), '\0');
    for (size_t i = 0; i < words; ++i) state = Mix(state, buffer[i]);
    length += got;
  }
  if (in.bad()) BadInput("io", "{}: cannot be read to its end", path.string());
  return Mix(state, length);
}

uint64_t MixFile(const fs::path& path, uint64_t state) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error || !std::ifstream(path)) BadInput("io", "{}: cannot be read", path.string());
  const uint64_t pieces = (size + kPiece - 1) / kPiece;
  constexpr uint64_t kMostThreads = 16;
  const uint64_t threads =
      std::clamp<uint64_t>(std::thread::hardware_concurrency(), 1, std::min(kMostThreads, pieces + 1));
  std::vector<uint64_t> mixed(pieces);
  std::vector<std::future<void>> done;
  for (uint64_t first = 0; first < threads; ++first) {
    done.push_back(std::async(std::launch::async, [&, first] {
      for (uint64_t i = first; i < pieces; i += threads) mixed[i] = MixPiece(path, i * kPiece);
    }));
  }
  for (std::future<void>& one : done) one.get();
  for (const uint64_t piece : mixed) state = Mix(state, piece);
  return Mix(state, size);
}

}  // namespace

std::string ModelFingerprint(const Checkpoint& checkpoint) {
  uint64_t state = Fnv1a64(checkpoint.config().dump());
  for (const fs::path& file : WeightFilesOf(checkpoint)) state = MixFile(file, state);
  return fmt::format("{:016x}", state);
}

}  // namespace grin
