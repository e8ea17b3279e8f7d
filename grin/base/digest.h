#pragma once
// Digests of files and of bytes in memory, for checking what was downloaded or stored.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace grin {

// SHA-256 of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  void Add(std::span<const std::byte> bytes);
  void Add(std::string_view text) { Add(std::as_bytes(std::span(text))); }

  // In hexadecimal; once, at the end.
  std::string Finish();

 private:
  std::shared_ptr<void> context_;  // OpenSSL's
};

// In hexadecimal. Error (bad input) when the file cannot be read.
std::string FileSha256(const std::filesystem::path& path);

// The name that git gives the file's content: SHA-1 of "blob SIZE\0" and the content.
std::string FileGitSha1(const std::filesystem::path& path);

}  // namespace grin
