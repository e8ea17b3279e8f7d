#pragma once
// Sequences that begin alike (one question with many answers, worked examples before every
// question) are packed so that the model reads what they share once.

#include <span>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/packed_batch.h"

namespace grin {

// Sequences that share their first `prefix` tokens.
struct PrefixGroup {
  std::vector<int64_t> members;  // indices of sequences
  int64_t prefix = 0;            // 0 for a sequence that shares nothing
};

// Groups every index once, so that most tokens are saved, and the groups into passes of at most
// `token_budget` packed tokens (a longer group gets a pass of its own). The sequences of a pass,
// each counted in full, have at most four times as many tokens: attention still sees them all.
std::vector<std::vector<PrefixGroup>> PlanSharedPasses(std::span<const Sequence* const> sequences,
                                                       int64_t token_budget);

// The batch of one pass. Its labels are in the order of the groups' members.
PackedBatch PackShared(std::span<const Sequence* const> sequences,
                       std::span<const PrefixGroup> groups, at::Device device = at::kCPU);

}  // namespace grin
