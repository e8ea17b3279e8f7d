#include "grin/gguf/dequantize.h"

#include <cstdint>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/half.h"

// A fused multiply-add would round once where the reference rounds twice.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace grin {
namespace {

float HalfAt(const uint8_t* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return FromFloat16(bits);
}

void DecodeF32(const uint8_t* block, float* out) { std::memcpy(out, block, sizeof(float)); }

void DecodeF16(const uint8_t* block, float* out) { *out = HalfAt(block); }

void DecodeBF16(const uint8_t* block, float* out) {
  uint16_t bits;
  std::memcpy(&bits, block, sizeof(bits));
  *out = FromBFloat16(bits);
}

// 32 elements: byte j holds element j in its low and element j + 16 in its high half.
int Nibble(const uint8_t* quants, int i) { return i < 16 ? quants[i] & 15 : quants[i - 16] >> 4; }

// d[2] q[16]: d * (q - 8)
void DecodeQ4_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block + 2, i) - 8);
}

// d[2] m[2] q[16]: d * q + m
void DecodeQ4_1(const uint8_t* block, float* out) {
  const float d = HalfAt(block), m = HalfAt(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block + 4, i)) + m;
}

// The fifth bit of 32 elements is one bit each of `high`.
int FiveBits(const uint8_t* high, const uint8_t* quants, int i) {
  return Nibble(quants, i) | (high[i / 8] >> i % 8 & 1) << 4;
}

// d[2] high[4] q[16]: d * (q - 16)
void DecodeQ5_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(FiveBits(block + 2, block + 6, i) - 16);
  }
}

// d[2] m[2] high[4] q[16]: d * q + m
void DecodeQ5_1(const uint8_t* block, float* out) {
  const float d = HalfAt(block), m = HalfAt(block + 2);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(FiveBits(block + 4, block + 8, i)) + m;
  }
}

// d[2] q[32]: d * q
void DecodeQ8_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

// Two bits of element i of 256: each half of 128 lies in 32 bytes, four elements to a byte.
int TwoBits(const uint8_t* quants, int i) {
  return quants[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

// Four bits of element i of 256: each quarter of 64 lies in 32 bytes, two elements to a byte.
int FourBits(const uint8_t* quants, int i) {
  return quants[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

// One bit of element i of 256: bit i / 32 of byte i % 32.
int OneBit(const uint8_t* bits, int i) { return bits[i % 32] >> i / 32 & 1; }

// scales[16] q[64] d[2] dmin[2]: per 16 elements a 4-bit scale and a 4-bit minimum
void DecodeQ2_K(const uint8_t* block, float* out) {
  const float d = HalfAt(block + 80), dmin = HalfAt(block + 82);
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(block[i / 16] & 15);
    const float minimum = dmin * static_cast<float>(block[i / 16] >> 4);
    out[i] = scale * static_cast<float>(TwoBits(block + 16, i)) - minimum;
  }
}

// mask[32] q[64] scales[12] d[2]: 16 scales of 6 bits, low four in 8 bytes, high two in 4
void DecodeQ3_K(const uint8_t* block, float* out) {
  const uint8_t* packed = block + 96;
  const float d = HalfAt(block + 108);
  float scales[16];
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    const int high = packed[8 + i % 4] >> i / 4 * 2 & 3;
    scales[i] = d * static_cast<float>((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int offset = OneBit(block, i) ? 0 : 4;  // a set bit means no offset
    out[i] = scales[i / 16] * static_cast<float>(TwoBits(block + 32, i) - offset);
  }
}

// 8 scales and 8 minimums of 6 bits in 12 bytes, each times its own factor.
struct ScalesAndMinimums {
  float scale[8], minimum[8];

  ScalesAndMinimums(const uint8_t* packed, float d, float dmin) {
    for (int i = 0; i < 8; ++i) {
      int s, m;
      if (i < 4) {
        s = packed[i] & 63;
        m = packed[4 + i] & 63;
      } else {  // low four bits in the last four bytes, high two above the first eight
        s = (packed[4 + i] & 15) | (packed[i - 4] >> 6) << 4;
        m = packed[4 + i] >> 4 | (packed[i] >> 6) << 4;
      }
      scale[i] = d * static_cast<float>(s);
      minimum[i] = dmin * static_cast<float>(m);
    }
  }
};

// d[2] dmin[2] scales[12] q[128]
void DecodeQ4_K(const uint8_t* block, float* out) {
  const ScalesAndMinimums by32(block + 4, HalfAt(block), HalfAt(block + 2));
  for (int i = 0; i < 256; ++i) {
    out[i] =
        by32.scale[i / 32] * static_cast<float>(FourBits(block + 16, i)) - by32.minimum[i / 32];
  }
}

// d[2] dmin[2] scales[12] high[32] q[128]
void DecodeQ5_K(const uint8_t* block, float* out) {
  const ScalesAndMinimums by32(block + 4, HalfAt(block), HalfAt(block + 2));
  for (int i = 0; i < 256; ++i) {
    const int q = FourBits(block + 48, i) | OneBit(block + 16, i) << 4;
    out[i] = by32.scale[i / 32] * static_cast<float>(q) - by32.minimum[i / 32];
  }
}

// low[128] high[64] scales[16] d[2]: d * scale * (q - 32)
void DecodeQ6_K(const uint8_t* block, float* out) {
  const float d = HalfAt(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int low = block[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
    const int high = TwoBits(block + 128, i);
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    out[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

using DecodeBlock = void (*)(const uint8_t* block, float* out);

DecodeBlock DecoderOf(GgufType type) {
  switch (type) {
    case GgufType::kF32:
      return DecodeF32;
    case GgufType::kF16:
      return DecodeF16;
    case GgufType::kBF16:
      return DecodeBF16;
    case GgufType::kQ4_0:
      return DecodeQ4_0;
    case GgufType::kQ4_1:
      return DecodeQ4_1;
    case GgufType::kQ5_0:
      return DecodeQ5_0;
    case GgufType::kQ5_1:
      return DecodeQ5_1;
    case GgufType::kQ8_0:
      return DecodeQ8_0;
    case GgufType::kQ2_K:
      return DecodeQ2_K;
    case GgufType::kQ3_K:
      return DecodeQ3_K;
    case GgufType::kQ4_K:
      return DecodeQ4_K;
    case GgufType::kQ5_K:
      return DecodeQ5_K;
    case GgufType::kQ6_K:
      return DecodeQ6_K;
  }
  Defect("io", "GGUF type {} has no decoder", static_cast<uint32_t>(type));
}

}  // namespace

void Dequantize(GgufType type, std::span<const std::byte> bytes, std::span<float> out) {
  const GgufTypeTraits& traits = TraitsOf(type);
  const DecodeBlock decode = DecoderOf(type);
  const size_t blocks = bytes.size() / static_cast<size_t>(traits.block_bytes);
  if (bytes.size() % static_cast<size_t>(traits.block_bytes) != 0 ||
      out.size() != blocks * static_cast<size_t>(traits.block_elements)) {
    Defect("io", "{} bytes of {} do not make {} elements", bytes.size(), traits.name, out.size());
  }
  const auto* block = reinterpret_cast<const uint8_t*>(bytes.data());
  float* element = out.data();
  for (size_t i = 0; i < blocks; ++i) {
    decode(block, element);
    block += traits.block_bytes;
    element += traits.block_elements;
  }
}

}  // namespace grin
