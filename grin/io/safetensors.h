#pragma once
// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes without
// gaps. Reading maps the file; writing streams one tensor after the other into an atomic file.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/io/mapped_file.h"
#include "grin/io/tensor_info.h"

namespace grin {

// The header's "__metadata__": strings, in the order of the file.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

class SafetensorsFile {
 public:
  // Maps `path` and checks its whole header: lengths, offsets, types, names. Error (bad input)
  // naming file and tensor when anything is wrong.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }

  // In the order of their bytes in the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // Position of a tensor in tensors(); -1 when there is none of that name.
  int64_t Find(std::string_view name) const;

  // The bytes of tensors()[index], row-major, not necessarily aligned; valid while this lives.
  std::span<const std::byte> Bytes(int64_t index) const;

  const SafetensorsMetadata& metadata() const { return metadata_; }

  // The value of a metadata key; nullptr when absent.
  const std::string* FindMetadata(std::string_view key) const;

  // The JSON header as it stands in the file, padding included.
  std::string_view header() const { return header_; }

 private:
  MappedFile file_;
  std::string_view header_;
  SafetensorsMetadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::span<const std::byte>> bytes_;
  std::unordered_map<std::string_view, int64_t> index_;
};

// Writes a safetensors file: construct, Write each tensor in order, Commit. Without Commit nothing
// is left behind.
class SafetensorsWriter {
 public:
  // A header of these tensors, in this order, padded so that the data are 8-byte aligned.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                    const SafetensorsMetadata& metadata = {});

  // The very header of `like`: its tensors are to be written in the order of like.tensors().
  SafetensorsWriter(const std::filesystem::path& path, const SafetensorsFile& like);

  // The next tensor, whole.
  void Write(std::span<const std::byte> bytes);

  // Checks that every tensor was written, and renames into place.
  void Commit();

 private:
  void WriteHeader(std::string_view header);

  std::vector<TensorInfo> tensors_;
  size_t next_ = 0;
  AtomicFile file_;
};

}  // namespace grin
