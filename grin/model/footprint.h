#pragma once
// What the tokens of a pass take in memory.

#include <cstdint>

#include "grin/model/decoder.h"

namespace grin {

// Bytes that a recorded forward pass keeps per token for its backward pass (an upper estimate).
int64_t RecordedBytesPerToken(const Model& model);

// Bytes that a forward pass which is not recorded holds per token at one time (an upper estimate).
int64_t ForwardBytesPerToken(const Model& model);

}  // namespace grin
