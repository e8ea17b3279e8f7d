#pragma once
// Words of a text by the Unicode rules.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace grin {

struct Word {
  std::pair<int64_t, int64_t> span;  // bytes [begin, end) in the text
  std::string folded;                // without case
};

// The words (UAX 29) of UTF-8 text that hold a letter or digit.
std::vector<Word> Words(const std::string& text);

}  // namespace grin
