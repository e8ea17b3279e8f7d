#pragma once
// Memory that lies in a file, for what would not fit otherwise: the system writes its pages out and
// drops them as it needs to. The file has no name, so that it is gone with the process, however
// that ends.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace grin {

class ScratchFile {
 public:
  // In the folder that TMPDIR names, else /tmp. Error (bad input) where no file can be made there.
  ScratchFile();
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // So many bytes of zeros, aligned to a page. They live as long as what is returned, which may be
  // longer than this object. Error (memory) where the disk has no room for them.
  std::shared_ptr<std::byte> Take(int64_t bytes);

 private:
  std::filesystem::path folder_;
  int file_ = -1;
  int64_t size_ = 0;
};

// Lets the system drop the pages of memory that Take returned from this process; what they hold
// stays in the file and is read again when it is touched.
void ReleasePages(std::byte* data, int64_t bytes);

// So many bytes of zeros that lie in no file. The system is asked for its largest pages: of many
// gigabytes that are touched once, taking small ones is most of the time.
std::shared_ptr<std::byte> TakeLargePages(int64_t bytes);

}  // namespace grin
