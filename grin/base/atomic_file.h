#pragma once
// Output that is whole or absent: written beside its place under a temporary name, flushed to the
// disk, then renamed. What was not committed is removed again, also when the process is interrupted
// by an exception.

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace grin {

class AtomicFile {
 public:
  // Opens a temporary file beside `path`. Error (bad input) when that cannot be written.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Appends. Error (bad input) when the disk is full.
  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text);

  // Flushes to the disk and renames into place.
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::FILE* file_ = nullptr;
};

// Writes a whole file atomically.
void WriteFile(const std::filesystem::path& path, std::string_view text);

// Reads a whole file. Error (bad input) when it cannot be read.
std::string ReadFile(const std::filesystem::path& path);

// A directory that appears under its name only when committed.
class AtomicDirectory {
 public:
  // Creates an empty directory beside `path` to write into. Error (bad input) when `path` exists,
  // unless `force`, or when its parent cannot be written.
  AtomicDirectory(std::filesystem::path path, bool force);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where to write until Commit.
  const std::filesystem::path& path() const { return partial_; }

  // Renames into place; with `force`, what stood there is replaced.
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  bool committed_ = false;
};


}  // namespace grin
