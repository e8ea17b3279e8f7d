#include "grin/base/reservation.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <string>

#include "grin/base/error.h"

namespace grin {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPartial = ".partial-", kOld = ".old-";
constexpr size_t kDigits = 8;

fs::path ParentOf(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

[[noreturn]] void CannotWrite(const fs::path& path, int error) {
  BadInput("io", "{}: cannot be written: {}", path.string(), std::strerror(error));
}

// The name of an output, cut so that a mark and its digits still fit behind it.
std::string Stem(const fs::path& path) {
  const long most = pathconf(ParentOf(path).c_str(), _PC_NAME_MAX);
  const size_t room = (most > 0 ? static_cast<size_t>(most) : 255) - kPartial.size() - kDigits;
  std::string name = path.filename().string();
  if (name.size() <= room) return name;
  name.resize(room);
  // Not within a character of UTF-8, which some file systems refuse.
  while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0xC0) == 0x80) name.pop_back();
  if (!name.empty() && static_cast<unsigned char>(name.back()) >= 0xC0) name.pop_back();
  return name;
}

fs::path Beside(const fs::path& path, std::string_view mark) {
  static thread_local std::random_device random;
  return ParentOf(path) / fmt::format("{}{}{:08x}", Stem(path), mark, random());
}

// Whether `name` is that of `path` with a mark and eight digits.
bool IsBeside(const std::string& name, const std::string& stem, std::string_view mark) {
  if (name.size() != stem.size() + mark.size() + kDigits || !name.starts_with(stem)) return false;
  if (name.compare(stem.size(), mark.size(), mark) != 0) return false;
  return std::ranges::all_of(name.substr(name.size() - kDigits), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

// A lock on a file or folder, which ends with its process. Where the file system has no such locks
// `held` says false.
class PathLock {
 public:
  explicit PathLock(const fs::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) {
    held_ = descriptor_ >= 0 && flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  }
  ~PathLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  PathLock(const PathLock&) = delete;
  PathLock& operator=(const PathLock&) = delete;

  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
};

// Removes what processes that no longer live left beside `path`. One that was killed while it
// replaced an old output in two steps has the old one put back.
void RemoveLeftOvers(const fs::path& path) {
  const std::string stem = Stem(path);
  std::error_code error;
  for (fs::directory_iterator entry(ParentOf(path), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool old = IsBeside(name, stem, kOld);
    if (!old && !IsBeside(name, stem, kPartial)) continue;
    const PathLock lock(entry->path());
    if (!lock.held()) continue;
    std::error_code ignored;
    if (old && !fs::exists(fs::symlink_status(path, ignored))) {
      fs::rename(entry->path(), path, ignored);
    } else {
      fs::remove_all(entry->path(), ignored);
    }
  }
}

bool IsMountPoint(const fs::path& path) {
  struct statx status {};
  return statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &status) == 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Error where no rename could put an output at `path`.
void CheckPlace(const fs::path& path, bool directory) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) CannotWrite(path, errno);
    return;
  }
  if (IsMountPoint(path)) {
    BadInput("io", "{}: is a mount point, which cannot be replaced; name a place inside it",
             path.string());
  }
  if (directory) return;
  if (S_ISDIR(status.st_mode)) {
    BadInput("io", "{}: is a folder; the output is a file", path.string());
  }
  if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    BadInput("io", "{}: is no file (a device or a pipe), and is not replaced", path.string());
  }
}

void Sync(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

Reservation::Reservation(fs::path path, bool directory) : path_(std::move(path)) {
  if (path_.empty()) BadInput("io", "an output needs a name; the one given is empty");
  if (path_.filename().empty()) path_ = path_.parent_path();  // "out/" means "out"
  if (path_.filename() == "." || path_.filename() == "..") {
    std::error_code error;
    path_ = fs::canonical(path_, error);
    if (error) CannotWrite(path_, error.value());
  }
  CheckPlace(path_, directory);
  try {
    MakeFolders();
    RemoveLeftOvers(path_);
    constexpr int kTries = 100;  // more than names that are taken by chance
    for (int i = 0; i < kTries && !Make(directory); ++i) {
    }
    if (lock_ < 0) CannotWrite(path_, EEXIST);
  } catch (...) {
    for (const fs::path& folder : folders_) rmdir(folder.c_str());
    throw;
  }
}

void Reservation::MakeFolders() {
  std::error_code error;
  std::vector<fs::path> missing;
  for (fs::path folder = ParentOf(path_); !fs::exists(folder, error) && !error;
       folder = ParentOf(folder)) {
    missing.push_back(folder);
  }
  for (; !missing.empty(); missing.pop_back()) {
    if (mkdir(missing.back().c_str(), 0777) == 0) {
      folders_.insert(folders_.begin(), missing.back());  // innermost first
    } else if (errno != EEXIST) {
      CannotWrite(path_, errno);
    }
  }
}

// Whether it was made and is held; false where another process took the name.
bool Reservation::Make(bool directory) {
  const fs::path partial = Beside(path_, kPartial);
  int descriptor;
  if (directory) {
    if (mkdir(partial.c_str(), 0777) != 0) {
      if (errno == EEXIST) return false;
      CannotWrite(path_, errno);
    }
    descriptor = open(partial.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return false;  // taken for a left-over
  } else {
    descriptor = open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == EEXIST) return false;
  }
  if (descriptor < 0) CannotWrite(path_, errno);
  // Another process may have taken it for a left-over before the lock was there.
  const bool taken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  struct stat mine {}, there {};
  if (taken || fstat(descriptor, &mine) != 0 || lstat(partial.c_str(), &there) != 0 ||
      mine.st_ino != there.st_ino) {
    close(descriptor);
    return false;
  }
  lock_ = descriptor;
  partial_ = partial;
  return true;
}

Reservation::~Reservation() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
  for (const fs::path& folder : folders_) {
    if (!partial_.empty()) rmdir(folder.c_str());  // only where it is empty
  }
  if (lock_ >= 0) close(lock_);
}

void Reservation::PutInPlace() {
  Sync(partial_);
  if (rename(partial_.c_str(), path_.c_str()) != 0) {
    // A directory does not replace one that is not empty.
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) CannotWrite(path_, errno);
    Replace();
  }
  Sync(ParentOf(path_));
  folders_.clear();
  partial_.clear();
}

void Reservation::Replace() {
  std::error_code ignored;
  if (renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
    Sync(ParentOf(path_));
    fs::remove_all(partial_, ignored);  // what stood there
    return;
  }
  const fs::path old = Beside(path_, kOld);
  const PathLock lock(path_);  // so that no one puts it back in between
  if (rename(path_.c_str(), old.c_str()) != 0) CannotWrite(path_, errno);
  if (rename(partial_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    fs::rename(old, path_, ignored);
    CannotWrite(path_, error);
  }
  Sync(ParentOf(path_));
  fs::remove_all(old, ignored);
}

}  // namespace grin
