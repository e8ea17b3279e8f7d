#pragma once
// How many tokens one pass may hold.

#include <cstdint>

#include "grin/model/decoder.h"

namespace grin {

// Bytes that a recorded forward pass keeps per token for its backward pass (an upper estimate).
int64_t RecordedBytesPerToken(const Model& model);

// Tokens per pass whose recorded activations fit `bytes`; at least 1.
int64_t TokensWithin(const Model& model, int64_t bytes);

}  // namespace grin
