#pragma once
// How a normalised text is cut into the words that the model takes apart.

#include <functional>
#include <string>

#include "grin/base/json.h"
#include "grin/text/pieces.h"

namespace grin {

struct PreTokenizer {
  std::function<void(Pieces&)> split;
  // The words still have to be spelled in the byte-level alphabet.
  bool to_bytes = false;
};

// The one that a "pre_tokenizer" of tokenizer.json describes; for null the text is one word. Error
// (bad input) on an unknown type or wrong fields.
PreTokenizer MakePreTokenizer(const Json* description, const std::string& where);

}  // namespace grin
