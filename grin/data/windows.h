#pragma once
// Running text in windows of the model's context.

#include <cstdint>
#include <vector>

#include "grin/data/sequence.h"

namespace grin {

// Windows of at most `context` tokens, `stride` apart (1 to context); each labels the tokens that
// no earlier one has labelled, with at least context - stride tokens before them (but at the
// start). Every token but the first is scored once; with stride = context the first of each window
// is not.
std::vector<Sequence> TextWindows(const std::vector<int32_t>& tokens, int64_t context,
                                  int64_t stride);

}  // namespace grin
