#pragma once
// A file seen as memory, read-only. Pages are read when touched, so opening a large checkpoint
// costs nothing and the operating system may drop what is not in use.

#include <cstddef>
#include <filesystem>
#include <span>

namespace grin {

class MappedFile {
 public:
  // Error (bad input) when `path` is missing, not a regular file, or not readable.
  explicit MappedFile(std::filesystem::path path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // The whole content; valid while this object lives.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace grin
