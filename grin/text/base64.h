#pragma once
// Bytes as text of 64 characters (RFC 4648).

#include <optional>
#include <string>
#include <string_view>

namespace grin {

std::string EncodeBase64(std::string_view bytes);

// Nothing where a character is none of the 64; `=` at the end is left out.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace grin
