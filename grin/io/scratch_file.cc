#include "grin/io/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "grin/base/error.h"

namespace grin {
namespace {

int64_t WholePages(int64_t bytes) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  return (std::max<int64_t>(bytes, 1) + page - 1) / page * page;
}

}  // namespace

ScratchFile::ScratchFile() {
  const char* given = std::getenv("TMPDIR");
  folder_ = given && *given ? given : "/tmp";
  std::string name = (folder_ / "grin.XXXXXX").string();
  file_ = mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) {
    BadInput("io", "{}: no file can be made there: {}; TMPDIR names another folder",
             folder_.string(), std::strerror(errno));
  }
  unlink(name.c_str());
}

ScratchFile::~ScratchFile() { close(file_); }

std::shared_ptr<std::byte> ScratchFile::Take(int64_t bytes) {
  const int64_t size = WholePages(bytes);
  // Without room for it a write to the memory would end the process by a signal.
  if (const int error = posix_fallocate(file_, size_, size); error != 0) {
    throw Error(
        ErrorClass::kMemory, "io",
        fmt::format("{}: {:.2f} GB more do not fit there: {}; TMPDIR names another folder",
                    folder_.string(), static_cast<double>(size) / 1e9, std::strerror(error)));
  }
  void* data =
      mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, file_, size_);
  if (data == MAP_FAILED) {
    throw Error(ErrorClass::kMemory, "io",
                fmt::format("a file of {} bytes cannot be mapped: {}", size, std::strerror(errno)));
  }
  size_ += size;
  return {static_cast<std::byte*>(data),
          [size](std::byte* taken) { munmap(taken, static_cast<size_t>(size)); }};
}

std::shared_ptr<std::byte> TakeLargePages(int64_t bytes) {
  const auto size = static_cast<size_t>(WholePages(bytes));
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    throw Error(ErrorClass::kMemory, "io",
                fmt::format("there is no memory of {} bytes: {}", size, std::strerror(errno)));
  }
  madvise(data, size, MADV_HUGEPAGE);  // a wish
  return {static_cast<std::byte*>(data), [size](std::byte* taken) { munmap(taken, size); }};
}

void ReleasePages(std::byte* data, int64_t bytes) {
  madvise(data, static_cast<size_t>(WholePages(bytes)), MADV_DONTNEED);
}

}  // namespace grin
