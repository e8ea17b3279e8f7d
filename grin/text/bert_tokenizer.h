#pragma once
// BERT checkpoints without a tokenizer.json: a vocab.txt, one token a line, and settings beside it.

#include <string>

#include "grin/text/tokenizer_file.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {

// What tokenizer.json would say, as transformers makes it of vocab.txt and, where they are there,
// tokenizer_config.json, special_tokens_map.json and added_tokens.json of the directory `where`.
// Error (bad input) when a file is malformed, the vocabulary lacks the tokens that frame a text, or
// the tokenizer is of a class that does not read its vocab.txt this way.
TokenizerFile ReadBertTokenizer(const ReadSideFile& read, const std::string& where);

}  // namespace grin
