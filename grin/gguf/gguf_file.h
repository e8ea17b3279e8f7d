#pragma once
// The GGUF container, versions 2 and 3: typed metadata and a table of tensors, quantised or not.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "grin/gguf/block_type.h"
#include "grin/io/mapped_file.h"

namespace grin {

// A metadata value. Integers of all widths are widened; strings point into the file.
struct GgufValue {
  std::variant<bool, int64_t, uint64_t, double, std::string_view, std::vector<GgufValue>> value;
};

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::kF32;
  std::vector<int64_t> shape;  // slowest dimension first, unlike in the file
  std::span<const std::byte> bytes;

  int64_t elements() const;
};

class GgufFile {
 public:
  // Maps `path` and checks every length, count, type, name and offset in it. Error (bad input)
  // naming file, key or tensor when anything is wrong.
  explicit GgufFile(const std::filesystem::path& path);

  std::string path() const { return file_.path().string(); }
  uint32_t version() const { return version_; }

  // In the order of the file.
  const std::vector<std::string>& keys() const { return keys_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  // nullptr when absent.
  const GgufValue* Find(std::string_view key) const;
  const GgufTensor* FindTensor(std::string_view name) const;

  // The value of a key; nothing when absent. Error (bad input) when it is of another kind.
  std::optional<uint64_t> Unsigned(std::string_view key) const;
  std::optional<double> Number(std::string_view key) const;
  std::optional<bool> Bool(std::string_view key) const;
  std::optional<std::string> String(std::string_view key) const;  // UTF-8
  const std::vector<GgufValue>* Array(std::string_view key) const;

 private:
  template <typename T>
  const T* Typed(std::string_view key, std::string_view kind) const;

  MappedFile file_;
  uint32_t version_ = 0;
  std::vector<std::string> keys_;
  std::unordered_map<std::string, GgufValue> values_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace grin
