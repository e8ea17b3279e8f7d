#pragma once
// White space of decoded text.

#include <string>
#include <string_view>

namespace grin {

// Takes out the spaces that word tokenizers leave before punctuation and contractions (" ." ->
// ".", " n't" -> "n't"), as transformers' clean_up_tokenization does. OpenUnlearning compares texts
// in this form.
std::string CleanSpaces(std::string text);

// What Python's strip() takes off at the ends, of ASCII: for Trimmed.
inline constexpr std::string_view kPythonSpace = " \t\r\n\v\f";

}  // namespace grin
