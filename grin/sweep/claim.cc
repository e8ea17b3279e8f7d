#include "grin/sweep/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"

namespace grin {

std::optional<Claim> Claim::Try(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) BadInput("sweep", "{}: cannot be written: {}", path.string(), std::strerror(errno));
  if (flock(file, LOCK_EX | LOCK_NB) == 0) return Claim(file);
  const int error = errno;
  close(file);
  if (error == EWOULDBLOCK || error == EINTR) return std::nullopt;
  BadInput("sweep", "{}: cannot be locked: {}", path.string(), std::strerror(error));
}

Claim Claim::Wait(const std::filesystem::path& path, const std::string& what) {
  bool told = false;
  for (;;) {
    if (auto claim = Try(path)) return *std::move(claim);
    if (!told) Info("waiting for another process: {}", what);
    told = true;
    WaitAMoment();
  }
}

Claim::~Claim() {
  if (file_ >= 0) close(file_);
}

void WaitAMoment() {
  ThrowIfInterrupted();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

}  // namespace grin
