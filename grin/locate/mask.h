#pragma once
// The selected weights of a checkpoint. On disk a safetensors file: per weight a U8 tensor of its
// flat mask, packed 8 per byte, lowest bit first; metadata format=grin-mask-1, shapes (a JSON
// object of name -> shape), count, and what the maker adds (method, fraction, recipe hash).
// Immutable but for its metadata, so it can be read from several threads.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

struct MaskTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bits;  // [ceil(size / 8)], 8 per byte, lowest bit first, unused bits 0
  int64_t count = 0;          // selected entries

  // Number of entries, selected or not.
  int64_t size() const;
  // Whether the entry at a flat position is selected.
  bool Has(int64_t position) const { return bits[position >> 3] >> (position & 7) & 1; }
};

class Mask {
 public:
  Mask() = default;
  // Sorts the tensors by name and counts their bits. Error (internal) when a name comes twice, or
  // when the bytes do not fit the shape.
  explicit Mask(std::vector<MaskTensor> tensors);

  // In the order of their names.
  const std::vector<MaskTensor>& tensors() const { return tensors_; }
  // Null where the mask does not cover that weight.
  const MaskTensor* Find(std::string_view name) const;
  // Selected entries, and all entries that the mask covers.
  int64_t count() const { return count_; }
  int64_t total() const { return total_; }

  // Flat positions selected in a weight, ascending: int64 [count]. Empty for one not covered.
  at::Tensor Indices(std::string_view name) const;

  // What the file says beside the bits; "format", "shapes" and "count" are set by Save.
  std::map<std::string, std::string>& metadata() { return metadata_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  void Save(const std::filesystem::path& path) const;
  // Error (bad input) for anything but a whole and consistent mask file.
  static Mask Load(const std::filesystem::path& path);

 private:
  std::vector<MaskTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  int64_t count_ = 0;
  int64_t total_ = 0;
};

}  // namespace grin
