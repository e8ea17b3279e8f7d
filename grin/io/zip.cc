#include "grin/io/zip.h"

#include <zlib.h>

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/io/decompress.h"

namespace grin {
namespace {

// A little-endian number of `bytes`; its width is that of T.
template <typename T>
T Number(std::string_view bytes, size_t offset) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(T{static_cast<unsigned char>(bytes[offset + i])} << (8 * i));
  }
  return value;
}

constexpr std::string_view kEndMark = "PK\x05\x06", kEntryMark = "PK\x01\x02",
                           kLocalMark = "PK\x03\x04";
constexpr size_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;
constexpr size_t kLongestComment = 0xffff;
constexpr uint32_t kZip64 = 0xffffffff;
constexpr uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1;

uint32_t Crc(std::string_view text) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

}  // namespace

std::string_view ZipFile::Bytes(uint64_t offset, uint64_t size, std::string_view what) const {
  const auto bytes = file_.bytes();
  if (offset > bytes.size() || size > bytes.size() - offset) {
    BadInput("io", "{}: {} lies outside of the file: the archive is damaged", file_.path().string(),
             what);
  }
  return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

ZipFile::ZipFile(const std::filesystem::path& path) : file_(path) {
  const std::string file = path.string();
  // The end record is searched from the end of the file: a comment may follow it.
  const uint64_t size = file_.bytes().size();
  const uint64_t tail_size = std::min<uint64_t>(size, kEndSize + kLongestComment);
  const std::string_view tail = Bytes(size - tail_size, tail_size, "its end");
  const size_t end = tail.rfind(kEndMark);
  if (end == std::string_view::npos || tail.size() - end < kEndSize) {
    BadInput("io", "{}: is no ZIP archive, or is cut off: it has no directory", file);
  }
  const auto count = Number<uint16_t>(tail, end + 10);
  const auto directory_size = Number<uint32_t>(tail, end + 12);
  const auto directory_offset = Number<uint32_t>(tail, end + 16);
  if (Number<uint16_t>(tail, end + 4) != 0) BadInput("io", "{}: is one part of several", file);
  if (directory_offset == kZip64 || count == 0xffff) {
    BadInput("io", "{}: is a ZIP64 archive, which is not read here; unpack it first", file);
  }
  std::string_view rest = Bytes(directory_offset, directory_size, "its directory");
  for (uint16_t i = 0; i < count; ++i) {
    if (rest.size() < kEntrySize || !rest.starts_with(kEntryMark)) {
      BadInput("io", "{}: entry {} of the directory is damaged", file, i);
    }
    const size_t name_size = Number<uint16_t>(rest, 28);
    const size_t entry_size =
        kEntrySize + name_size + Number<uint16_t>(rest, 30) + Number<uint16_t>(rest, 32);
    if (rest.size() < entry_size) BadInput("io", "{}: entry {} is cut off", file, i);
    ZipEntry entry = {.name = std::string(rest.substr(kEntrySize, name_size)),
                      .size = Number<uint32_t>(rest, 24),
                      .packed_size = Number<uint32_t>(rest, 20),
                      .offset = Number<uint32_t>(rest, 42),
                      .crc = Number<uint32_t>(rest, 16),
                      .method = Number<uint16_t>(rest, 10)};
    const bool encrypted = Number<uint16_t>(rest, 8) & kEncrypted;
    rest.remove_prefix(entry_size);
    if (entry.name.ends_with('/')) continue;
    if (encrypted || (entry.method != kStored && entry.method != kDeflated)) {
      BadInput("io", "{}: '{}' is {}; unpack the archive first", file, Printable(entry.name),
               encrypted ? "encrypted" : "packed by another method than deflate");
    }
    entries_.push_back(std::move(entry));
  }
}

const ZipEntry* ZipFile::Find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &ZipEntry::name);
  return found == entries_.end() ? nullptr : &*found;
}

std::string ZipFile::Read(const ZipEntry& entry) const {
  const std::string where = fmt::format("{}: '{}'", file_.path().string(), Printable(entry.name));
  const std::string_view local = Bytes(entry.offset, kLocalSize, where);
  if (!local.starts_with(kLocalMark)) {
    BadInput("io", "{}: its header is damaged", where);
  }
  const uint64_t begin =
      entry.offset + kLocalSize + Number<uint16_t>(local, 26) + Number<uint16_t>(local, 28);
  const std::string_view packed = Bytes(begin, entry.packed_size, where);
  if (entry.method == kStored && entry.size != entry.packed_size) {
    BadInput("io", "{}: is stored, but its sizes {} and {} differ", where, entry.packed_size,
             entry.size);
  }
  std::string text =
      entry.method == kStored ? std::string(packed) : Inflate(packed, entry.size, where);
  if (const uint32_t crc = Crc(text); crc != entry.crc) {
    BadInput("io", "{}: its CRC-32 is {:08x}, the directory says {:08x}: the archive is damaged",
             where, crc, entry.crc);
  }
  return text;
}

}  // namespace grin
