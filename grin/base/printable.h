#pragma once
// Text from untrusted files, made fit for one line of a message.

#include <cstddef>
#include <string>
#include <string_view>

namespace grin {

// `text` with control characters and ill-formed bytes as \xNN, cut to about `limit` bytes.
std::string Printable(std::string_view text, size_t limit = 80);

}  // namespace grin
