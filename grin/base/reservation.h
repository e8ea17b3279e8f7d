#pragma once
// A temporary name beside the place of an output, held by a lock for as long as its maker lives.

#include <filesystem>
#include <string_view>
#include <vector>

namespace grin {

class Reservation {
 public:
  // Makes an empty file or directory "NAME.partial-XXXXXXXX" beside `path` (the name cut where the
  // file system takes none so long), the folders above it where they are missing, and removes what
  // dead processes left beside `path`. Error (bad input) that names `path` when it cannot be made, or
  // when `path` itself could not be.
  Reservation(std::filesystem::path path, bool directory);
  // Removes what was not put in place, and folders that were made for it.
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  const std::filesystem::path& partial() const { return partial_; }

  // Renames to `path`. What stands there is replaced in one step where the file system can, else in
  // two that the next Reservation of this path completes or takes back.
  void PutInPlace();

 private:
  bool Make(bool directory);
  void MakeFolders();
  void Replace();

  std::filesystem::path path_, partial_;
  std::vector<std::filesystem::path> folders_;  // that were made, outermost first
  int lock_ = -1;                               // descriptor of what is at partial_
};

}  // namespace grin
