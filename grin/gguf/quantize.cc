#include "grin/gguf/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/half.h"

namespace grin {
namespace {

constexpr size_t kBlock = 32;

struct WritableType {
  std::string_view name;
  GgufType type;
};

constexpr std::array kWritable{WritableType{"float32", GgufType::kF32}, WritableType{"float16", GgufType::kF16},
                               WritableType{"bfloat16", GgufType::kBF16}, WritableType{"q8_0", GgufType::kQ8_0},
                               WritableType{"q4_0", GgufType::kQ4_0}};

void PutScale(float scale, std::byte* out) {
  const uint16_t half = ToFloat16(scale);
  std::memcpy(out, &half, sizeof half);
}

// 32 steps of largest / 127, rounded half away from zero.
void BlockQ8(std::span<const float> values, std::byte* out) {
  float largest = 0.0f;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  const float scale = largest / 127.0f;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  PutScale(scale, out);
  for (size_t i = 0; i < kBlock; ++i) {
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(values[i] * inverse)));
  }
}

// 16 steps; the value of largest magnitude becomes -8 of them.
void BlockQ4(std::span<const float> values, std::byte* out) {
  float largest = 0.0f;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(largest)) largest = value;
  }
  const float scale = largest / -8.0f;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  PutScale(scale, out);
  const auto step = [&](float value) {
    const float scaled = value * inverse;  // rounded by itself: no fused multiply-add
    return static_cast<unsigned>(std::clamp(std::trunc(scaled + 8.5f), 0.0f, 15.0f));
  };
  for (size_t i = 0; i < kBlock / 2; ++i) {
    out[2 + i] = static_cast<std::byte>(step(values[i]) | step(values[i + kBlock / 2]) << 4);
  }
}

}  // namespace

std::optional<GgufType> WritableGgufType(std::string_view name) {
  const auto found = std::ranges::find(kWritable, name, &WritableType::name);
  return found == kWritable.end() ? std::nullopt : std::optional(found->type);
}

std::string_view WritableGgufTypes() { return "float32, float16, bfloat16, q8_0, q4_0"; }

std::vector<std::byte> Quantize(GgufType type, std::span<const float> values) {
  const GgufTypeTraits& traits = TraitsOf(type);
  const size_t blocks = values.size() / static_cast<size_t>(traits.block_elements);
  std::vector<std::byte> bytes(blocks * static_cast<size_t>(traits.block_bytes));
  const auto halves = [&](auto convert) {
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = convert(values[i]);
      std::memcpy(bytes.data() + 2 * i, &half, sizeof half);
    }
  };
  const auto each_block = [&](auto encode) {
    for (size_t i = 0; i < blocks; ++i) {
      encode(values.subspan(i * kBlock, kBlock),
             bytes.data() + i * static_cast<size_t>(traits.block_bytes));
    }
  };
  switch (type) {
    case GgufType::kF32:
      std::memcpy(bytes.data(), values.data(), bytes.size());
      break;
    case GgufType::kF16:
      halves(ToFloat16);
      break;
    case GgufType::kBF16:
      halves(ToBFloat16);
      break;
    case GgufType::kQ8_0:
      each_block(BlockQ8);
      break;
    case GgufType::kQ4_0:
      each_block(BlockQ4);
      break;
    default:
      Defect("io", "GGUF type {} cannot be written", traits.name);
  }
  return bytes;
}

}  // namespace grin
