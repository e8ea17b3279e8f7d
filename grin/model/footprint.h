#pragma once
// What the tokens of a pass take in memory.

#include <cstdint>

#include "grin/model/decoder.h"

namespace grin {

// Bytes that a recorded forward pass keeps per token for its backward pass: of the whole model, or
// of so many of its blocks. It is what the backward passes of norms, attention and the MLP read,
// and the inputs of linear layers, whose weights' gradients are taken.
int64_t KeptBytesPerToken(const Model& model);
int64_t KeptBytesPerToken(const Model& model, int64_t blocks);

// Bytes per token of what the backward pass of one block holds beside that at one time.
int64_t BackwardBytesPerToken(const Model& model);

// Both: a pass within so many bytes for each of its tokens, and LogitBytes, has room.
int64_t RecordedBytesPerToken(const Model& model);

// Bytes that a recorded pass of so many tokens takes, forth and back, of which at most `labels`
// have logits: the blocks' part, and on another device than the CPU the head's, one after the
// other. (On the CPU the logits of a chunk are counted with the program.) `dense` bytes take the
// gradients of one weight that are made before they are added to others.
int64_t RecordedPassBytes(const Model& model, int64_t blocks, int64_t tokens, int64_t labels,
                          int64_t dense);

// Bytes that the blocks of a forward pass which is not recorded hold per token at one time; and
// those of a whole pass, counted as above.
int64_t ForwardBytesPerToken(const Model& model);
int64_t ForwardPassBytes(const Model& model, int64_t tokens, int64_t labels);

// Bytes that logits take at one time where whole rows of the vocabulary are made: those of a chunk,
// what softmax makes of them, and their gradient in the type of the weights. Of a chunk of `rows`
// at most.
int64_t LogitBytes(const Model& model);
int64_t LogitBytes(const Model& model, int64_t rows);

}  // namespace grin
