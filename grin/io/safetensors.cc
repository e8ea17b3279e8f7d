#include "grin/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/io/safetensors_header.h"

namespace grin {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation

std::string_view ReadHeader(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const std::string path = file.path().string();
  if (bytes.size() < kLengthBytes) {
    BadInput("io", "{}: has {} bytes, fewer than the 8 that every safetensors file begins with",
             path, bytes.size());
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > bytes.size() - kLengthBytes) {
    BadInput("io",
             "{}: the header says it has {} bytes, only {} follow: truncated, or no "
             "safetensors file",
             path, length, bytes.size() - kLengthBytes);
  }
  if (length > kMaxHeader) {
    BadInput("io", "{}: the header has {} bytes, more than the {} allowed", path, length,
             kMaxHeader);
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length};
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), header_(ReadHeader(file_)) {
  const std::string name = path.string();
  SafetensorsHeader header = ParseSafetensorsHeader(header_, name);
  metadata_ = std::move(header.metadata);
  std::vector<SafetensorsEntry>& entries = header.entries;
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  const std::span<const std::byte> data = file_.bytes().subspan(kLengthBytes + header_.size());
  uint64_t expected = 0;
  for (SafetensorsEntry& entry : entries) {
    const std::string tensor = Printable(entry.info.name);
    if (entry.end > data.size()) {
      BadInput("io", "{}: tensor '{}' ends at byte {} of the data, the file has only {}: truncated",
               name, tensor, entry.end, data.size());
    }
    if (entry.begin != expected) {
      BadInput("io",
               "{}: tensor '{}' begins at byte {} of the data, but the one before it ends at "
               "{}: {}",
               name, tensor, entry.begin, expected,
               entry.begin < expected ? "they overlap" : "there is a gap");
    }
    expected = entry.end;
    bytes_.push_back(data.subspan(entry.begin, entry.end - entry.begin));
    tensors_.push_back(std::move(entry.info));
  }
  if (expected != data.size()) {
    BadInput("io", "{}: the tensors end at byte {} of the data, the file goes on to {}", name,
             expected, data.size());
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    index_.emplace(tensors_[i].name, static_cast<int64_t>(i));
  }
}

int64_t SafetensorsFile::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? -1 : found->second;
}

std::span<const std::byte> SafetensorsFile::Bytes(int64_t index) const {
  return bytes_.at(static_cast<size_t>(index));
}

const std::string* SafetensorsFile::FindMetadata(std::string_view key) const {
  for (const auto& [name, value] : metadata_) {
    if (name == key) return &value;
  }
  return nullptr;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<TensorInfo> tensors,
                                     const SafetensorsMetadata& metadata)
    : tensors_(std::move(tensors)), file_(path) {
  WriteHeader(FormatSafetensorsHeader(tensors_, metadata));
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const SafetensorsFile& like)
    : tensors_(like.tensors()), file_(path) {
  WriteHeader(like.header());
}

void SafetensorsWriter::WriteHeader(std::string_view header) {
  const uint64_t length = header.size();
  file_.Write(std::as_bytes(std::span(&length, 1)));
  file_.Write(header);
}

void SafetensorsWriter::Write(std::span<const std::byte> bytes) {
  if (next_ == tensors_.size()) Defect("io", "more tensors were written than announced");
  const TensorInfo& tensor = tensors_[next_++];
  if (static_cast<int64_t>(bytes.size()) != tensor.byte_size()) {
    Defect("io", "tensor '{}' was announced with {} bytes and has {}", Printable(tensor.name),
           tensor.byte_size(), bytes.size());
  }
  file_.Write(bytes);
}

void SafetensorsWriter::Commit() {
  if (next_ != tensors_.size()) {
    Defect("io", "{} of {} tensors were written", next_, tensors_.size());
  }
  file_.Commit();
}

}  // namespace grin
