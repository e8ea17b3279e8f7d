#pragma once
// The tokenizer inside a GGUF file, as the files that stand beside a Hugging Face checkpoint.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "grin/gguf/gguf_file.h"

namespace grin {

// Name and text of tokenizer.json, tokenizer_config.json and generation_config.json. `vocabulary`
// is the number of rows of the embedding. Nothing for a file that says it has no tokenizer. Error
// (bad input) when the tokenizer's model or its pre-tokenizer is unknown, or an id or a token is
// impossible.
std::vector<std::pair<std::string, std::string>> MakeGgufTokenizerFiles(const GgufFile& file,
                                                                        uint64_t vocabulary);

}  // namespace grin
