#pragma once
// What becomes of the delimiters when a text is split.

#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json_fields.h"
#include "grin/text/pieces.h"

namespace grin {

enum class SplitBehavior {
  kRemoved,             // "the-final--day" at "-": the final day
  kIsolated,            // the - final - - day
  kMergedWithPrevious,  // the- final- - day
  kMergedWithNext,      // the -final - -day
  kContiguous,          // the - final -- day
};

// The behaviour that a field names.
SplitBehavior BehaviorFromJson(const JsonFields& fields, std::string_view field);

// Appends the parts of a text of `size` bytes around the matches, which are in order and do not
// overlap. `invert`: what lies between them is the delimiter.
void SplitAround(const std::vector<AlignedText::Match>& matches, size_t size,
                 SplitBehavior behavior, bool invert, std::vector<Piece>& parts);

}  // namespace grin
