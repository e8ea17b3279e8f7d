#pragma once
// Where a chat template shows an answer, which it may trim or cut.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace grin {

// A short answer that begins otherwise than `answer` does, trimmed or not: where two chats part
// that have the one and the other, the answer begins.
std::string OtherAnswer(std::string_view answer);

struct ShownAnswer {
  size_t trimmed = 0;  // bytes of the answer that the template left out in front
  size_t length = 0;   // bytes of it that are shown
};

// What of the answer `text` begins with: all of it, without the white space at its ends, or what
// stands behind the last </think> in it. Nothing where none of them does.
std::optional<ShownAnswer> FindShown(std::string_view text, std::string_view answer);

}  // namespace grin
