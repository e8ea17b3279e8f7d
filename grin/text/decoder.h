#pragma once
// How the strings of tokens become text again.

#include <functional>
#include <string>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// Rewrites a list of token strings; their concatenation at the end is the text.
using Decoder = std::function<void(std::vector<std::string>&)>;

// The one that a "decoder" of tokenizer.json describes; for null, tokens are joined by spaces.
// Error (bad input) on an unknown type or wrong fields.
Decoder MakeDecoder(const Json* description, const std::string& where);

}  // namespace grin
