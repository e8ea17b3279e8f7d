#include "grin/base/utf8.h"

namespace grin {

size_t FirstInvalidUtf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
  size_t position = 0;
  while (position < size) {
    if (bytes[position] < 0x80) {
      ++position;
      continue;
    }
    const size_t start = position;
    UChar32 character;
    U8_NEXT(bytes, position, size, character);
    if (character < 0) return start;
  }
  return std::string_view::npos;
}

void AppendUtf8(std::string& text, char32_t character) {
  uint8_t bytes[U8_MAX_LENGTH];
  size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, character);
  text.append(reinterpret_cast<const char*>(bytes), size);
}

std::string LossyUtf8(std::string_view bytes) {
  if (IsUtf8(bytes)) return std::string(bytes);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  std::string text;
  text.reserve(bytes.size() + 8);
  for (size_t position = 0; position < bytes.size();) {
    UChar32 character;
    U8_NEXT_OR_FFFD(data, position, bytes.size(), character);
    AppendUtf8(text, static_cast<char32_t>(character));
  }
  return text;
}

}  // namespace grin
