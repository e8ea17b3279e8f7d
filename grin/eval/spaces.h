#pragma once
// White space of decoded text.

#include <string>
#include <string_view>

namespace grin {

// Takes out the spaces that word tokenizers leave before punctuation and contractions (" ." ->
// ".", " n't" -> "n't"), as transformers' clean_up_tokenization does. OpenUnlearning compares texts
// in this form.
std::string CleanSpaces(std::string text);

// Without white space at both ends.
std::string Trimmed(std::string_view text);

}  // namespace grin
