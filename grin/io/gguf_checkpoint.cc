#include "grin/io/gguf_checkpoint.h"

#include <fstream>

#include "grin/base/error.h"

namespace grin {

bool IsGgufFile(const std::filesystem::path& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "GGUF";
}

std::shared_ptr<const Checkpoint> OpenGgufCheckpoint(const std::filesystem::path& path,
                                                     const GgufOptions&) {
  BadInput("io", "{}: GGUF files cannot be read yet", path.string());
}

}  // namespace grin
