#include "grin/io/tensor_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/half.h"

namespace grin {
namespace {

struct DTypeRow {
  DType dtype;
  int64_t size;
  std::string_view name;
  std::string_view torch_name;
};

constexpr std::array kTable{
    DTypeRow{DType::kF64, 8, "F64", "float64"}, DTypeRow{DType::kF32, 4, "F32", "float32"},
    DTypeRow{DType::kF16, 2, "F16", "float16"}, DTypeRow{DType::kBF16, 2, "BF16", "bfloat16"},
    DTypeRow{DType::kI64, 8, "I64", ""},        DTypeRow{DType::kI32, 4, "I32", ""},
    DTypeRow{DType::kI16, 2, "I16", ""},        DTypeRow{DType::kI8, 1, "I8", ""},
    DTypeRow{DType::kU64, 8, "U64", ""},        DTypeRow{DType::kU32, 4, "U32", ""},
    DTypeRow{DType::kU16, 2, "U16", ""},        DTypeRow{DType::kU8, 1, "U8", ""},
    DTypeRow{DType::kBool, 1, "BOOL", ""},      DTypeRow{DType::kF8E4M3, 1, "F8_E4M3", ""},
    DTypeRow{DType::kF8E5M2, 1, "F8_E5M2", ""}, DTypeRow{DType::kF8E8M0, 1, "F8_E8M0", ""},
    DTypeRow{DType::kC64, 8, "C64", ""},
};

const DTypeRow& Lookup(DType dtype) {
  const DTypeRow& row = kTable[static_cast<size_t>(dtype)];
  if (row.dtype != dtype) Defect("io", "the table of types is out of order");
  return row;
}

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <typename T>
void Store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

double LoadFloat(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::kF64:
      return Load<double>(at);
    case DType::kF32:
      return Load<float>(at);
    case DType::kF16:
      return FromFloat16(Load<uint16_t>(at));
    default:
      return FromBFloat16(Load<uint16_t>(at));
  }
}

// Float to the nearest in the direction "odd": a second rounding to fewer bits is then exact.
float ToFloatForRounding(double value) {
  const auto nearest = static_cast<float>(value);
  if (!std::isfinite(value) || static_cast<double>(nearest) == value) return nearest;
  if (std::isinf(nearest)) return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (bits & 1) return nearest;
  const bool too_far = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return std::bit_cast<float>(too_far ? bits - 1 : bits + 1);
}

void StoreFloat(DType dtype, double value, std::byte* at) {
  switch (dtype) {
    case DType::kF64:
      return Store(at, value);
    case DType::kF32:
      return Store(at, static_cast<float>(value));
    case DType::kF16:
      return Store(at, ToFloat16(ToFloatForRounding(value)));
    default:
      return Store(at, ToBFloat16(ToFloatForRounding(value)));
  }
}

}  // namespace

int64_t DTypeSize(DType dtype) { return Lookup(dtype).size; }

std::string_view DTypeName(DType dtype) { return Lookup(dtype).name; }

std::string_view TorchDTypeName(DType dtype) { return Lookup(dtype).torch_name; }

std::optional<DType> ParseDType(std::string_view name) {
  for (const DTypeRow& row : kTable) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::string_view KnownDTypes() {
  static const std::string names = [] {
    std::string joined;
    for (const DTypeRow& row : kTable)
      joined += (joined.empty() ? "" : ", ") + std::string(row.name);
    return joined;
  }();
  return names;
}

bool IsFloat(DType dtype) { return !Lookup(dtype).torch_name.empty(); }

int64_t ConvertFloats(DType from, std::span<const std::byte> in, DType to,
                      std::span<std::byte> out) {
  const auto in_size = static_cast<size_t>(DTypeSize(from));
  const auto out_size = static_cast<size_t>(DTypeSize(to));
  if (!IsFloat(from) || !IsFloat(to) || in.size() % in_size != 0 ||
      in.size() / in_size != out.size() / out_size) {
    Defect("io", "cannot convert {} bytes of {} to {} bytes of {}", in.size(), DTypeName(from),
           out.size(), DTypeName(to));
  }
  int64_t overflowed = 0;
  const size_t count = in.size() / in_size;
  for (size_t i = 0; i < count; ++i) {
    const double value = LoadFloat(from, in.data() + i * in_size);
    std::byte* at = out.data() + i * out_size;
    StoreFloat(to, value, at);
    overflowed += std::isfinite(value) && std::isinf(LoadFloat(to, at));
  }
  return overflowed;
}

int64_t TensorInfo::elements() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

std::string FormatShape(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace grin
