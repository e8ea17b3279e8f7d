#pragma once
// Stems of English words.

#include <string>

namespace grin {

// The stem by Porter's algorithm (Program 14.3, 1980) with the extensions that the PorterStemmer of
// the `nltk` package has by default: irregular forms ("dying" -> "die"), "ies" and "ied" of short
// words, "y" behind a consonant. `word` holds letters a to z and digits only; a digit counts as a
// consonant. Words of one or two characters stay as they are.
std::string PorterStem(std::string word);

}  // namespace grin
