#pragma once
// A checkpoint written as a GGUF file, which llama.cpp and its kin read.

#include <filesystem>
#include <optional>

#include "grin/gguf/block_type.h"
#include "grin/io/checkpoint.h"

namespace grin {

// Writes configuration, tokenizer and weights of any family that has a GGUF architecture
// (Family::gguf). Matrices are stored as `type`, without it as they are; vectors and learned
// positions are always F32, and so is what the format keeps beside them. A matrix whose rows do not
// divide into blocks becomes F16. The tokenizer is left out, with a warning that says why, where
// the format has no name for it; so are tensors that the model does not use. Error (bad input) for
// an architecture or a setting that has no place in the format, for a tensor that is missing or of
// a wrong shape, or when the file cannot be written.
void WriteGguf(const Checkpoint& source, const std::filesystem::path& path,
               std::optional<GgufType> type);

}  // namespace grin
