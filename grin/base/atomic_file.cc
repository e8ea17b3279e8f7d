#include "grin/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "grin/base/error.h"

namespace grin {
namespace fs = std::filesystem;
namespace {

// Unlike any other of this process or another: several may be writing the same file.
fs::path PartialName(const fs::path& path) {
  static std::atomic<int> count = 0;
  fs::path whole = path;
  if (whole.filename().empty()) whole = whole.parent_path();  // "out/" means "out"
  whole += fmt::format(".partial-{}-{}", getpid(), ++count);
  return whole;
}

void Sync(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

fs::path ParentOf(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), partial_(PartialName(path_)) {
  file_ = std::fopen(partial_.c_str(), "wb");
  if (!file_) {
    const int error = errno;
    BadInput("io", "{}: cannot be written: {}", path_.string(), std::strerror(error));
  }
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  std::fclose(file_);
  std::error_code ignored;
  fs::remove(partial_, ignored);
}

void AtomicFile::Write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    BadInput("io", "{}: cannot be written: {}; nothing was left behind", path_.string(),
             std::strerror(errno));
  }
}

void AtomicFile::Write(std::string_view text) { Write(std::as_bytes(std::span(text))); }

void AtomicFile::Commit() {
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) {
    BadInput("io", "{}: cannot be written: {}; nothing was left behind", path_.string(),
             std::strerror(errno));
  }
  std::fclose(file_);
  file_ = nullptr;
  std::error_code error;
  fs::rename(partial_, path_, error);
  if (error) {
    std::error_code ignored;
    fs::remove(partial_, ignored);
    BadInput("io", "{}: cannot be written: {}", path_.string(), error.message());
  }
  Sync(ParentOf(path_));
}

void WriteFile(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.Write(text);
  file.Commit();
}

std::string ReadFile(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) BadInput("io", "{}: is a directory, not a file", path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) BadInput("io", "{}: cannot be read: {}", path.string(), std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

AtomicDirectory::AtomicDirectory(fs::path path, bool force) : path_(std::move(path)) {
  if (path_.filename().empty()) path_ = path_.parent_path();
  std::error_code error;
  if (fs::exists(fs::symlink_status(path_, error)) && !force) {
    BadInput("io", "{}: exists already; choose another --out, or replace it with --force",
             path_.string());
  }
  partial_ = PartialName(path_);
  fs::remove_all(partial_, error);
  fs::create_directories(partial_, error);
  if (error) {
    BadInput("io", "{}: cannot be created: {}", path_.string(), error.message());
  }
}

AtomicDirectory::~AtomicDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
}

void AtomicDirectory::Commit() {
  std::error_code error;
  // The old directory steps aside first, so that a failed rename loses neither.
  fs::path old;
  if (fs::exists(fs::symlink_status(path_, error))) {
    old = path_;
    old += fmt::format(".old-{}", getpid());
    fs::rename(path_, old, error);
    if (error) BadInput("io", "{}: cannot be replaced: {}", path_.string(), error.message());
  }
  fs::rename(partial_, path_, error);
  if (error) {
    std::error_code ignored;
    if (!old.empty()) fs::rename(old, path_, ignored);
    BadInput("io", "{}: cannot be created: {}", path_.string(), error.message());
  }
  committed_ = true;
  if (!old.empty()) fs::remove_all(old, error);
  Sync(ParentOf(path_));
}

}  // namespace grin
