#pragma once
// Writes a GGUF file, version 3: metadata, the table of tensors, then their bytes one by one.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/gguf/block_type.h"

namespace grin {

class GgufWriter {
 public:
  // Error (bad input) when `path` cannot be written. Nothing is left there without Commit.
  explicit GgufWriter(const std::filesystem::path& path) : file_(path) {}

  // Metadata. Names say the type in the file, which readers insist on.
  void AddUint32(std::string_view key, uint32_t value);
  void AddFloat32(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStrings(std::string_view key, std::span<const std::string> values);
  void AddFloats(std::string_view key, std::span<const float> values);
  void AddBools(std::string_view key, const std::vector<bool>& values);
  void AddInts(std::string_view key, std::span<const int32_t> values);

  // Announces a tensor; `shape` has the slowest dimension first.
  void AddTensor(std::string_view name, GgufType type, const std::vector<int64_t>& shape);

  // Writes what was added so far. From here on only WriteTensor and Commit.
  void WriteHeader();

  // The bytes of the next tensor, in the order in which they were added.
  void WriteTensor(std::span<const std::byte> bytes);

  void Commit();

 private:
  void AddKey(std::string_view key, uint32_t type);
  void Pad();

  AtomicFile file_;
  std::string metadata_, tensors_;
  uint64_t keys_ = 0, tensor_count_ = 0;
  uint64_t data_size_ = 0;  // announced
  uint64_t written_ = 0;    // of the file
  std::vector<uint64_t> sizes_;
  size_t next_ = 0;
};

}  // namespace grin
