#pragma once
// A SentencePiece tokenizer.model as the tokenizer.json that `transformers` makes of it.

#include <string>
#include <string_view>

#include "grin/text/tokenizer_file.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {

// As for Llama 1 and 2, Mistral and Gemma, which is what SentencePiece itself does. Error (bad
// input) when the model is damaged or of a class whose ids are not those of the model; `where`
// names its file.
TokenizerFile SentencePieceTokenizer(std::string_view model, TokenizerSettings settings,
                                     const std::string& where);

}  // namespace grin
