#pragma once
// Quantised blocks of GGUF to floats.

#include <cstddef>
#include <span>

#include "grin/gguf/block_type.h"

namespace grin {

// Decodes the blocks in `bytes` into `out`, which has as many elements as they hold. Every
// operation is rounded to fp32 in the order that the format's reference uses, so results are
// bit-equal to it.
void Dequantize(GgufType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace grin
