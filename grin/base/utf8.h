#pragma once
// UTF-8, the encoding of every text here.

#include <unicode/utf8.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace grin {

// Where the first byte sequence that is not UTF-8 begins; npos when all of it is.
size_t FirstInvalidUtf8(std::string_view text);
inline bool IsUtf8(std::string_view text) {
  return FirstInvalidUtf8(text) == std::string_view::npos;
}

// The character at `position` of a valid text; moves `position` behind it.
inline char32_t NextCharacter(std::string_view text, size_t& position) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  char32_t character;
  U8_NEXT_UNSAFE(bytes, position, character);
  return character;
}

// The character before `position` of a valid text; moves `position` to its start.
inline char32_t PreviousCharacter(std::string_view text, size_t& position) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  char32_t character;
  U8_PREV_UNSAFE(bytes, position, character);
  return character;
}

// True inside a multi-byte character.
inline bool IsContinuationByte(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

void AppendUtf8(std::string& text, char32_t character);

// Replaces every invalid sequence by U+FFFD: one for each longest start of a valid character, one
// for each byte that cannot start one (as Unicode recommends and Rust does).
std::string LossyUtf8(std::string_view bytes);

}  // namespace grin
