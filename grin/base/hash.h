#pragma once
// Short fingerprints of names and files. Not for security.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace grin {

// 64-bit FNV-1a.
constexpr uint64_t Fnv1a64(std::string_view bytes, uint64_t state = 0xcbf29ce484222325) {
  for (const char c : bytes) {
    state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return state;
}

// The FNV-1a fingerprint of text as 16 hexadecimal digits.
std::string Fingerprint(std::string_view bytes);

// The same of a file's content. Error (bad input) when it cannot be read.
std::string FileFingerprint(const std::filesystem::path& path);

}  // namespace grin
