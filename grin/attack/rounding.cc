#include "grin/attack/rounding.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "grin/base/error.h"
#include "grin/base/table.h"
#include "grin/gguf/dequantize.h"
#include "grin/gguf/quantize.h"

namespace grin {
namespace {

constexpr int64_t kGgufBlock = 32;

// A block of GGUF has a scale of two bytes, then the codes: one a byte, or two, those of the second
// half of the block in the upper four bits.
void RoundAsGguf(GgufType type, std::span<float> values, std::span<uint8_t> codes) {
  const std::vector<std::byte> bytes = Quantize(type, values);
  Dequantize(type, bytes, values);
  const auto block_bytes = static_cast<size_t>(TraitsOf(type).block_bytes);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte* block = bytes.data() + i / kGgufBlock * block_bytes + 2;
    const size_t within = i % kGgufBlock;
    if (type == GgufType::kQ8_0) {
      codes[i] = std::to_integer<uint8_t>(block[within]);
    } else {
      const auto pair = std::to_integer<unsigned>(block[within % (kGgufBlock / 2)]);
      codes[i] = static_cast<uint8_t>(within < kGgufBlock / 2 ? pair & 15 : pair >> 4);
    }
  }
}

void RoundAsQ8(std::span<float> values, std::span<uint8_t> codes) {
  RoundAsGguf(GgufType::kQ8_0, values, codes);
}

void RoundAsQ4(std::span<float> values, std::span<uint8_t> codes) {
  RoundAsGguf(GgufType::kQ4_0, values, codes);
}

constexpr int64_t kNormalFloatBlock = 64;

// NormalFloat of 4 bits (Dettmers et al. 2023, QLoRA, appendix E): quantiles of the normal
// distribution between -1 and 1, with an exact 0, as bitsandbytes has them.
constexpr std::array<float, 16> kNormalFloats = {-1.0f,
                                                 -0.6961928009986877f,
                                                 -0.5250730514526367f,
                                                 -0.39491748809814453f,
                                                 -0.28444138169288635f,
                                                 -0.18477343022823334f,
                                                 -0.09105003625154495f,
                                                 0.0f,
                                                 0.07958029955625534f,
                                                 0.16093020141124725f,
                                                 0.24611230194568634f,
                                                 0.33791524171829224f,
                                                 0.44070982933044434f,
                                                 0.5626170039176941f,
                                                 0.7229568362236023f,
                                                 1.0f};

// The code of the nearest value, the lower one where two are as near.
uint8_t NearestNormalFloat(float scaled) {
  uint8_t code = 0;
  while (code + 1u < kNormalFloats.size() &&
         scaled > (kNormalFloats[code] + kNormalFloats[code + 1]) / 2) {
    ++code;
  }
  return code;
}

// Values are multiplied by the reciprocal of the block's largest magnitude, as bitsandbytes does.
void RoundAsNormalFloat(std::span<float> values, std::span<uint8_t> codes) {
  for (size_t begin = 0; begin < values.size(); begin += kNormalFloatBlock) {
    const size_t end = std::min<size_t>(values.size(), begin + kNormalFloatBlock);
    float largest = 0;
    for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(values[i]));
    const float inverse = 1.0f / std::max(largest, 1e-38f);
    for (size_t i = begin; i < end; ++i) {
      codes[i] = NearestNormalFloat(std::clamp(values[i] * inverse, -1.0f, 1.0f));
      values[i] = kNormalFloats[codes[i]] * largest;
    }
  }
}

constexpr std::array kRoundingTypes = {
    RoundingType{"q8_0", "llama.cpp's 8 bits", kGgufBlock, true, true, RoundAsQ8},
    RoundingType{"q4_0", "llama.cpp's 4 bits", kGgufBlock, true, true, RoundAsQ4},
    RoundingType{"nf4", "bitsandbytes' 4 bits", kNormalFloatBlock, false, false,
                 RoundAsNormalFloat},
};

}  // namespace

std::span<const RoundingType> RoundingTypes() { return kRoundingTypes; }

const RoundingType& FindRoundingType(std::string_view name) {
  return FindRow("attack", "number format", RoundingTypes(), name);
}

std::vector<RoundedMatrix> MatricesToRound(const Model& model, const RoundingType& type) {
  std::vector<RoundedMatrix> matrices;
  std::set<std::string> seen;
  const auto add = [&](const Parameter& weight, bool transposed) {
    if (!weight.defined() || weight.value.dim() != 2 || !seen.insert(weight.name).second) return;
    const int64_t row = weight.value.size(transposed ? 0 : 1);
    if (type.within_rows && row % type.block != 0) return;
    matrices.push_back({weight.name, transposed});
  };
  const auto add_linear = [&](const LinearWeights& linear) {
    add(linear.weight, linear.transposed);
  };
  if (type.embeddings) {
    add(model.embedding, false);
    add(model.head.weight, false);
  }
  add_linear(model.project_in);
  add_linear(model.project_out);
  for (const BlockWeights& block : model.blocks) {
    for (const LinearWeights* linear : {&block.q, &block.k, &block.v, &block.qkv, &block.o,
                                        &block.gate, &block.up, &block.gate_up, &block.down}) {
      add_linear(*linear);
    }
  }
  return matrices;
}

RoundedValues RoundMatrix(const Checkpoint& checkpoint, const RoundedMatrix& matrix,
                          const RoundingType& type) {
  at::Tensor stored = StoredTensor(checkpoint, *checkpoint.Find(matrix.name)).to(at::kFloat);
  if (matrix.transposed) stored = stored.t();
  stored = stored.contiguous();
  const auto size = static_cast<size_t>(stored.numel());
  const float* data = stored.const_data_ptr<float>();
  RoundedValues rounded{.stored = {data, data + size},
                        .values = {data, data + size},
                        .codes = std::vector<uint8_t>(size)};
  constexpr int64_t kBlocks = 256;  // of one piece of work
  const int64_t piece = kBlocks * type.block, pieces = (stored.numel() + piece - 1) / piece;
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto begin = static_cast<size_t>(i * piece);
      const size_t count = std::min<size_t>(static_cast<size_t>(piece), size - begin);
      type.round(std::span(rounded.values).subspan(begin, count),
                 std::span(rounded.codes).subspan(begin, count));
    }
  });
  return rounded;
}

}  // namespace grin
