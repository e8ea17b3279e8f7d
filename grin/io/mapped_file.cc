#include "grin/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "grin/base/error.h"

namespace grin {

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe must fail below, not wait for a writer.
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) BadInput("io", "{}: cannot be read: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    BadInput("io", "{}: is {}, not a file", path_.string(),
             S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* memory = size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
  const int error = errno;
  close(fd);
  if (memory == MAP_FAILED) {
    BadInput("io", "{}: cannot be mapped: {}", path_.string(), std::strerror(error));
  }
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace grin
