#pragma once
// Extended grapheme clusters: what readers take for one character.

#include <cstddef>
#include <string_view>

namespace grin {

// The end of the cluster that begins at `position` of a valid UTF-8 text, which is not at its end.
// By the rules GB3 to GB13 of Unicode's annex 29.
size_t GraphemeEnd(std::string_view text, size_t position);

}  // namespace grin
