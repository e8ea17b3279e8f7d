#include "grin/text/byte_alphabet.h"

#include <array>

#include "grin/base/utf8.h"

namespace grin {
namespace {

struct Alphabet {
  std::array<char32_t, 256> characters;
  std::array<int, 0x144> bytes;

  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      characters[byte] = printable ? static_cast<char32_t>(byte) : next++;
      bytes[characters[byte]] = byte;
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

}  // namespace

char32_t ByteCharacter(uint8_t byte) { return TheAlphabet().characters[byte]; }

int ByteOfCharacter(char32_t character) {
  const auto& bytes = TheAlphabet().bytes;
  return character < bytes.size() ? bytes[character] : -1;
}

bool BytesOfToken(std::string_view token, std::string& bytes) {
  bytes.clear();
  for (size_t position = 0; position < token.size();) {
    const int byte = ByteOfCharacter(NextCharacter(token, position));
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
  }
  return true;
}

}  // namespace grin
