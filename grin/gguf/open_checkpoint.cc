#include "grin/gguf/open_checkpoint.h"

#include "grin/base/log.h"
#include "grin/gguf/gguf_checkpoint.h"
#include "grin/model/adapter.h"

namespace grin {

std::shared_ptr<const Checkpoint> OpenCheckpoint(const std::filesystem::path& source) {
  const std::filesystem::path path = FindCheckpoint(source);
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored) && IsGgufFile(path)) {
    return OpenGgufCheckpoint(path);
  }
  if (IsAdapterDirectory(path)) return OpenAdapterCheckpoint(path, OpenCheckpoint);
  if (std::filesystem::exists(path / "adapter_config.json", ignored)) {
    Warn("{}: holds a whole model and an adapter; the adapter is not applied", path.string());
  }
  return Checkpoint::Open(path);
}

}  // namespace grin
