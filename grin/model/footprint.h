#pragma once
// What the tokens of a pass take in memory.

#include <cstdint>

#include "grin/model/decoder.h"

namespace grin {

// Bytes that a recorded forward pass keeps per token for its backward pass (an upper estimate): of the
// whole model, or of so many of its blocks.
int64_t RecordedBytesPerToken(const Model& model);
int64_t RecordedBytesPerToken(const Model& model, int64_t blocks);

// Bytes that a forward pass which is not recorded holds per token at one time (an upper estimate).
int64_t ForwardBytesPerToken(const Model& model);

// Bytes that logits take at one time where whole rows of the vocabulary are made: those of a chunk, what
// softmax makes of them, and their gradient in the type of the weights.
int64_t LogitBytes(const Model& model);

}  // namespace grin
