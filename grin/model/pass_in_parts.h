#pragma once
// A forward pass cut between blocks, for callers that keep the residual stream at the cuts and record
// one part at a time, so that the tape of all blocks never exists at once.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>

#include "grin/model/decoder.h"

namespace grin {

class PassInParts {
 public:
  // Of one batch. `model` and `batch` must outlive this.
  PassInParts(const Model& model, const PackedBatch& batch);
  ~PassInParts();
  PassInParts(const PassInParts&) = delete;
  PassInParts& operator=(const PassInParts&) = delete;

  // With a sink each part is recorded, as in Forward: its backward pass gives the sink the gradients of
  // the part's weights. In order, the parts do what Forward and the head do, to the bit.

  // The residual stream before the first block, [T, d].
  at::Tensor Embed(GradientSink* sink) const;
  // After the blocks begin .. end of the stream before them.
  at::Tensor Blocks(int64_t begin, int64_t end, at::Tensor stream, GradientSink* sink) const;
  // Log-probabilities at the batch's labels from the stream after the last block.
  LabelScores Score(const at::Tensor& stream, GradientSink* sink) const;

 private:
  struct State;
  const PackedBatch& batch_;
  std::unique_ptr<State> state_;
};

}  // namespace grin
