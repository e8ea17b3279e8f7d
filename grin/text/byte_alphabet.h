#pragma once
// The byte-level alphabet of GPT-2: every byte has a printable character, so that a vocabulary of
// byte sequences can be written as text. Printable Latin-1 stands for itself; the other 68 bytes
// become U+0100, U+0101, ... in order.

#include <cstdint>
#include <string>
#include <string_view>

namespace grin {

// The character that stands for a byte.
char32_t ByteCharacter(uint8_t byte);

// The byte that a character stands for; -1 when it is not of the alphabet.
int ByteOfCharacter(char32_t character);

// The bytes that a token stands for. False when a character is not of the alphabet (then `bytes`
// is unspecified).
bool BytesOfToken(std::string_view token, std::string& bytes);

}  // namespace grin
