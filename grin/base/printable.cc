#include "grin/base/printable.h"

#include <fmt/format.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace grin {
std::string Printable(std::string_view text, size_t limit) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (out.size() >= limit) return out + "...";
    size_t next = i;
    UChar32 character;
    U8_NEXT(bytes, next, text.size(), character);
    if (character < 0x20 || character == 0x7F) {  // below 0: no character begins here
      out += fmt::format("\\x{:02x}", bytes[i]);
      ++i;
    } else {
      out += text.substr(i, next - i);
      i = next;
    }
  }
  return out;
}

}  // namespace grin
