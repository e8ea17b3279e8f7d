#pragma once
// The tokenizer of a checkpoint as GGUF metadata.

#include <cstdint>
#include <string>

#include "grin/gguf/writer.h"
#include "grin/io/checkpoint.h"

namespace grin {

// Adds the tokens of `rows` ids, merges, special tokens and the chat template. Returns why nothing
// was added: there is no tokenizer, or the format cannot express it; empty when all is well. Error
// (bad input) for a tokenizer.json that is damaged or has ids beyond `rows`.
std::string AddGgufTokenizer(const Checkpoint& source, uint64_t rows, GgufWriter& writer);

}  // namespace grin
