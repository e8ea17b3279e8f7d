#include "grin/base/atomic_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "grin/base/error.h"
#include "grin/base/reservation.h"

namespace grin {
namespace fs = std::filesystem;

AtomicFile::AtomicFile(fs::path path)
    : path_(std::move(path)), reservation_(std::make_unique<Reservation>(path_, false)) {
  file_ = std::fopen(reservation_->partial().c_str(), "wbe");
  if (!file_) {
    const int error = errno;
    BadInput("io", "{}: cannot be written: {}", path_.string(), std::strerror(error));
  }
}

AtomicFile::~AtomicFile() {
  if (file_) std::fclose(file_);
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
  reservation_->PutInPlace();
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
  reservation_ = std::make_unique<Reservation>(path_, true);
}

AtomicDirectory::~AtomicDirectory() = default;

const fs::path& AtomicDirectory::path() const { return reservation_->partial(); }

void AtomicDirectory::Commit() { reservation_->PutInPlace(); }

}  // namespace grin
