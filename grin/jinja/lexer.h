#pragma once
// A template's text as tokens. White space around tags is settled here, as trim_blocks,
// lstrip_blocks and the signs in {%- -%} {%+ +%} say.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace grin::jinja {

enum class TokenKind {
  kText,        // outside of tags
  kBlockBegin,  // {%
  kBlockEnd,
  kPrintBegin,  // {{
  kPrintEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;  // of a string: what it stands for
  int64_t integer = 0;
  double number = 0;
};

// All tokens, the last one kEnd. `source` is valid UTF-8; `name` goes into errors (BadInput).
std::vector<Token> Tokenize(std::string_view source, std::string_view name);

}  // namespace grin::jinja
