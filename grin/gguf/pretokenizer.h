#pragma once
// How text is cut before byte-level BPE, by the name that GGUF gives it (tokenizer.ggml.pre).

#include <string>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

struct GgufPreTokenizer {
  Json normalizer;     // of tokenizer.json; null for none
  Json pre_tokenizer;  // likewise
  bool ignore_merges = false;
  bool adds_bos = false;  // where the file does not say
};

// Error (bad input) that begins with `file` and lists the known names when `name` is not among
// them.
GgufPreTokenizer FindGgufPreTokenizer(std::string_view name, std::string_view file);

// The name of what a tokenizer.json does; empty when GGUF has none for it.
std::string GgufPreTokenizerName(const Json& normalizer, const Json& pre_tokenizer,
                                 bool ignore_merges);

}  // namespace grin
