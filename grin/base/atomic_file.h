#pragma once
// Output that is whole or absent: written beside its place under a temporary name, flushed to the
// disk, then renamed in one step. Missing folders above it are made. What was not committed is
// removed again, also when an exception ends the work; what a killed process left beside the same
// place is removed by the next one that writes there. A process that is killed at any instant leaves
// what stood at the place before, or the new output, and never a part of one.

#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace grin {

class Reservation;

class AtomicFile {
 public:
  // Opens a temporary file beside `path`. Error (bad input) when that cannot be written, or when
  // what is at `path` cannot be replaced by a file (a folder, a device).
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
  std::unique_ptr<Reservation> reservation_;
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
  // unless `force`, when it is a mount point, or when its parent cannot be written.
  AtomicDirectory(std::filesystem::path path, bool force);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where to write until Commit.
  const std::filesystem::path& path() const;

  // Puts it in place; with `force`, what stood there is replaced.
  void Commit();

 private:
  std::filesystem::path path_;
  std::unique_ptr<Reservation> reservation_;
};

}  // namespace grin
