#pragma once
// Sequences that begin alike (one question with many answers, answers with a common beginning,
// worked examples before every question) are packed so that the model reads what they share once.

#include <span>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/packed_batch.h"

namespace grin {

// Groups every index once into passes of at most `token_budget` packed tokens (a longer sequence
// gets a pass of its own). In alphabetic order, so that neighbours share most. The sequences of a
// pass, each counted in full, have at most four times as many tokens: attention still sees them
// all.
std::vector<std::vector<int64_t>> PlanSharedPasses(std::span<const Sequence* const> sequences,
                                                   int64_t token_budget);

// The batch of one pass: a sequence shares the rows of all tokens that the member before it begins
// with too. Labels are in the order of the members.
PackedBatch PackShared(std::span<const Sequence* const> sequences,
                       std::span<const int64_t> members, at::Device device = at::kCPU);

}  // namespace grin
