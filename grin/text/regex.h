#pragma once
// Regular expressions as tokenizer files write them, which is Oniguruma's syntax: the `tokenizers`
// package compiles them with that library, and so does this room.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grin/text/aligned_text.h"

namespace grin {

// Finds one match at a time. Immutable, usable from several threads.
class PatternMatcher {
 public:
  virtual ~PatternMatcher() = default;
  // The first match that begins at byte `from` or later, if there is one. The text is valid UTF-8
  // and `from` stands between two of its characters. Error (bad input) when the search gives up.
  virtual bool Find(std::string_view text, size_t from, AlignedText::Match& match) const = 0;
};

// Either a literal string or a compiled expression. Immutable, usable from several threads.
class Pattern {
 public:
  static Pattern Literal(std::string text);
  // Error (bad input) when the expression cannot be compiled; `where` names it in errors.
  static Pattern Expression(std::string_view expression, std::string_view where);

  // All matches from left to right. An empty match may stand anywhere but at the end of the match
  // before it. Error (bad input) when the expression needs too much backtracking. The text is valid
  // UTF-8.
  std::vector<AlignedText::Match> FindAll(std::string_view text) const;

 private:
  std::shared_ptr<const PatternMatcher> matcher_;
  bool of_classes_ = false;  // whether the pattern asks for properties of characters
};

}  // namespace grin
