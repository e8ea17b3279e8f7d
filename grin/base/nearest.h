#pragma once
// "Did you mean ...?"

#include <span>
#include <string>
#include <string_view>

namespace grin {

// The candidate with the smallest edit distance to `word`; empty when none is near (more than half
// of its letters differ) or there is no candidate.
std::string Nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace grin
