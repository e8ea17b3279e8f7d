#pragma once
// A GGUF file seen as a checkpoint: Hugging Face names, configuration and tokenizer files.

#include <filesystem>
#include <memory>

#include "grin/io/checkpoint.h"

namespace grin {

// True when the file begins as a GGUF file does.
bool IsGgufFile(const std::filesystem::path& path);

// Opens a GGUF file. Float tensors keep their type, quantised ones are decoded to F32 when read.
// Rows of q and k that the format stores pairwise are put back in order. Error (bad input) naming
// what is missing, unknown or of the wrong shape.
std::shared_ptr<const Checkpoint> OpenGgufCheckpoint(const std::filesystem::path& path);

}  // namespace grin
