#pragma once
// vocab.json and merges.txt as the tokenizer.json that `transformers` makes of them: the
// byte-level vocabularies of GPT-2, OPT, RoBERTa, CodeGen (Phi), Qwen2 and GPT-NeoX.

#include <string>
#include <string_view>

#include "grin/text/tokenizer_file.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {

// The texts of the two files, which lie in the directory `where`. How a text is split follows the
// tokenizer class, else the model type, else what the vocabulary looks like. Error (bad input) when
// the files are malformed.
TokenizerFile ByteLevelTokenizer(std::string_view vocabulary, std::string_view merges,
                                 TokenizerSettings settings, const std::string& where);

}  // namespace grin
