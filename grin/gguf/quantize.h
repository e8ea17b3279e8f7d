#pragma once
// Floats to the elements and blocks of GGUF.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "grin/gguf/block_type.h"

namespace grin {

// The type of a name ("float32", "float16", "bfloat16", "q8_0", "q4_0") among those that can be
// written; nothing for another.
std::optional<GgufType> WritableGgufType(std::string_view name);

// "float32, float16, bfloat16, q8_0, q4_0"
std::string_view WritableGgufTypes();

// Encodes values, whose number is a multiple of the type's block. Bit-equal to the `gguf` package,
// which follows the format's reference.
std::vector<std::byte> Quantize(GgufType type, std::span<const float> values);

}  // namespace grin
