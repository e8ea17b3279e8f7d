#pragma once
// Sequences -> packed batches that fit a token budget.

#include <cstdint>
#include <span>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/packed_batch.h"

namespace grin {

// The tokens that the model is given: all but those that are predicted only.
std::span<const int32_t> TokensRead(const Sequence& sequence);

// The rows and labels of a batch while it is being laid out.
class BatchRows {
 public:
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }

  // Appends rows for tokens begin .. end - 1 of a sequence, at their positions.
  void Append(const Sequence& sequence, int64_t begin, int64_t end);

  // Appends the labels of a sequence whose token i is in row row_of(i).
  template <typename RowOf>
  void AppendLabels(const Sequence& sequence, RowOf row_of) {
    for (const int32_t label : sequence.labels) {
      label_rows_.push_back(row_of(label - 1));  // the row before a token predicts it
    }
    EndLabels(sequence);
  }

  // The batch, whose sequences end where `offsets` say: see PackedBatch::segments.
  PackedBatch Finish(std::vector<int64_t> offsets, at::Device device) const;

 private:
  void EndLabels(const Sequence& sequence);

  std::vector<int64_t> tokens_, positions_, label_rows_, label_tokens_, label_offsets_ = {0};
  std::vector<float> label_weights_;
  std::vector<uint8_t> unseen_;
};

// Lays sequences end to end, in the given order.
PackedBatch Pack(std::span<const Sequence* const> sequences, at::Device device = at::kCPU);

// Groups indices of sequences into passes of at most `token_budget` tokens (a longer sequence gets
// a pass of its own), by length, so that neighbours of equal length share a kernel call. Every
// index occurs once.
std::vector<std::vector<int64_t>> PlanPasses(std::span<const Sequence* const> sequences,
                                             int64_t token_budget);
// The same of things of so many tokens.
std::vector<std::vector<int64_t>> PlanPasses(std::span<const int64_t> lengths,
                                             int64_t token_budget);

// The sequences of one pass.
std::vector<const Sequence*> Select(std::span<const Sequence* const> sequences,
                                    std::span<const int64_t> indices);

std::vector<const Sequence*> Pointers(const std::vector<Sequence>& sequences);

}  // namespace grin
