#pragma once
// What is done to the tokens of a text at the end: special tokens around them, spaces left out of
// their spans.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/aligned_text.h"

namespace grin {

struct EncodedToken {
  int32_t id;
  Span span;                   // {-1, -1} for one that a post-processor added
  uint32_t spaces_before = 0;  // white space that the token itself begins with, in characters
  uint32_t spaces_behind = 0;
};

struct PostProcessor {
  std::function<void(std::vector<EncodedToken>&, std::string_view text, bool add_special_tokens)>
      process;
  bool needs_spaces = false;  // whether it reads spaces_before and spaces_behind
};

// The one that a "post_processor" of tokenizer.json describes; does nothing for null. Error (bad
// input) on an unknown type or wrong fields.
PostProcessor MakePostProcessor(const Json* description, const std::string& where);

}  // namespace grin
