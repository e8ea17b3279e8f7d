#pragma once
// The number formats that weights are stored in, and what a file says about a tensor before its
// bytes are read.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

enum class DType {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
  // Carried through unread: nothing here computes with these.
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kC64,
};

// Bytes of one element.
int64_t DTypeSize(DType dtype);

// The name that safetensors uses: "F32", "BF16", ...
std::string_view DTypeName(DType dtype);

// The name that a `config.json` uses ("float32", "bfloat16"); empty for what is not a float type.
std::string_view TorchDTypeName(DType dtype);

// The type of a safetensors name; nothing when the name is not known.
std::optional<DType> ParseDType(std::string_view name);

// All known names, for messages: "F64, F32, ...".
std::string_view KnownDTypes();

// True for F64, F32, F16 and BF16: the types that weights are computed in.
bool IsFloat(DType dtype);

// Converts elements between float types, rounding to nearest even. `in` and `out` hold the same
// number of elements and need no alignment. Returns how many finite values became infinite.
int64_t ConvertFloats(DType from, std::span<const std::byte> in, DType to,
                      std::span<std::byte> out);

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;

  // Readers check that neither product overflows.
  int64_t elements() const;
  int64_t byte_size() const { return elements() * DTypeSize(dtype); }

  bool operator==(const TensorInfo&) const = default;
};

// "[576, 1536]"
std::string FormatShape(const std::vector<int64_t>& shape);

}  // namespace grin
