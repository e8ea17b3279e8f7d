#include "grin/base/hash.h"

#include <fstream>
#include <vector>

#include "grin/base/error.h"

namespace grin {

std::string Fingerprint(std::string_view bytes) { return fmt::format("{:016x}", Fnv1a64(bytes)); }

std::string FileFingerprint(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) BadInput("base", "{}: cannot be read", path.string());
  std::vector<char> buffer(1 << 20);
  uint64_t state = Fnv1a64({});
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    state = Fnv1a64({buffer.data(), static_cast<size_t>(in.gcount())}, state);
  }
  return fmt::format("{:016x}", state);
}

}  // namespace grin
