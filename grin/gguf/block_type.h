#pragma once
// How GGUF stores a tensor's elements: whole, or in blocks of a few bits each with shared scales.

#include <cstdint>
#include <string>
#include <string_view>

namespace grin {

// The numbers are those of the file format.
enum class GgufType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

// Types of metadata values, as the file numbers them.
namespace gguf_value {
enum Type : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};
}  // namespace gguf_value

struct GgufTypeTraits {
  GgufType type;
  std::string_view name;
  int64_t block_elements;  // along the fastest dimension
  int64_t block_bytes;
};

// nullptr for a type that cannot be read.
const GgufTypeTraits* FindGgufType(uint32_t number);
const GgufTypeTraits& TraitsOf(GgufType type);

// The name of any type, read or not: "IQ4_XS", or "type 99".
std::string GgufTypeName(uint32_t number);

// "F32, F16, Q4_0, ..."
std::string ReadableGgufTypes();

}  // namespace grin
