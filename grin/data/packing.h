#pragma once
// Sequences -> packed batches that fit a token budget.

#include <span>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/packed_batch.h"

namespace grin {

// Lays sequences end to end, in the given order.
PackedBatch Pack(std::span<const Sequence* const> sequences, at::Device device = at::kCPU);

// Groups indices of sequences into passes of at most `token_budget` tokens (a longer sequence gets
// a pass of its own), by length, so that neighbours of equal length share a kernel call. Every
// index occurs once.
std::vector<std::vector<int64_t>> PlanPasses(std::span<const Sequence* const> sequences,
                                             int64_t token_budget);

// The sequences of one pass.
std::vector<const Sequence*> Select(std::span<const Sequence* const> sequences,
                                    std::span<const int64_t> indices);

std::vector<const Sequence*> Pointers(const std::vector<Sequence>& sequences);

}  // namespace grin
