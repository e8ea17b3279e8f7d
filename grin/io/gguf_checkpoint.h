#pragma once
// A GGUF file seen as a checkpoint: Hugging Face names, configuration and tokenizer files.

#include <filesystem>
#include <memory>

#include "grin/io/checkpoint.h"

namespace grin {

struct GgufOptions {};

// True when the file begins as a GGUF file does.
bool IsGgufFile(const std::filesystem::path& path);

// Opens a GGUF file.
std::shared_ptr<const Checkpoint> OpenGgufCheckpoint(const std::filesystem::path& path,
                                                     const GgufOptions& options);

}  // namespace grin
