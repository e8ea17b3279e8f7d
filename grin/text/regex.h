#pragma once
// Regular expressions as tokenizer files write them: in Oniguruma's (Ruby) syntax.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grin/text/aligned_text.h"

namespace grin {

// Either a literal string or a compiled expression. Immutable, usable from several threads.
class Pattern {
 public:
  static Pattern Literal(std::string text);
  // Error (bad input) when the expression cannot be compiled; `where` names it.
  static Pattern Expression(std::string_view expression, std::string_view where);

  // All matches from left to right. An empty match may stand anywhere but at the end of the match
  // before it. Error (bad input) when the expression needs too much backtracking.
  std::vector<AlignedText::Match> FindAll(std::string_view text) const;

 private:
  struct Compiled;
  bool Find(std::string_view text, size_t from, AlignedText::Match& match) const;

  std::string literal_;
  std::shared_ptr<const Compiled> compiled_;  // null: literal_ is the pattern
};

}  // namespace grin
