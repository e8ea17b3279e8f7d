#pragma once
// What a forget objective trains on: the forget set's prompts with the answers that it wants, and a
// weight for every token.

#include <cstdint>
#include <vector>

#include "grin/data/encode.h"
#include "grin/data/task.h"
#include "grin/tune/alternates.h"
#include "grin/tune/options.h"

namespace grin {

// `options` are resolved. Answers to be forgotten weigh by --forget-tokens, others are whole.
// Refusals are drawn by seed. `alternates`, one list for each forget example, is for an objective
// over those. Error (bad input): no refusals; plain text, which has no question to answer
// otherwise.
std::vector<Sequence> ForgetSequences(const Task& task, const Encoder& encoder,
                                      const ObjectiveOptions& options, uint64_t seed,
                                      const Alternates& alternates = {});

}  // namespace grin
