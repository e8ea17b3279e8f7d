#pragma once
// ZIP archives, read-only: stored and deflated entries. Archives that are encrypted, split, or of
// 4 GiB and more (ZIP64) are refused.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "grin/io/mapped_file.h"

namespace grin {

struct ZipEntry {
  std::string name;  // "data/dev/anatomy_dev.csv"
  uint64_t size = 0;
  uint64_t packed_size = 0;
  uint64_t offset = 0;  // of its local header
  uint32_t crc = 0;
  uint16_t method = 0;  // 0: stored, 8: deflated
};

class ZipFile {
 public:
  // Maps the archive and reads its directory. Error (bad input) when it is no ZIP archive or its
  // directory is damaged.
  explicit ZipFile(const std::filesystem::path& path);

  // The files in it, without folders, in the directory's order.
  const std::vector<ZipEntry>& entries() const { return entries_; }

  // nullptr when there is none of that name.
  const ZipEntry* Find(std::string_view name) const;

  // The content of an entry, with its size and CRC-32 checked. Error (bad input) when damaged.
  std::string Read(const ZipEntry& entry) const;

 private:
  std::string_view Bytes(uint64_t offset, uint64_t size, std::string_view what) const;

  MappedFile file_;
  std::vector<ZipEntry> entries_;
};

}  // namespace grin
