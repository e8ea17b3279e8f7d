#pragma once
// Keys and values of sequences that are being generated, one slot per sequence.

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <vector>

#include "grin/model/attention.h"
#include "grin/model/config.h"

namespace grin {

class KeyValueCache {
 public:
  // Room for `slots` sequences of `capacity` tokens each.
  KeyValueCache(const ModelConfig& config, int64_t slots, int64_t capacity,
                at::TensorOptions options);

  // Bytes of one slot.
  static int64_t SlotBytes(const ModelConfig& config, int64_t capacity, at::ScalarType type);

  int64_t length(int64_t slot) const { return lengths_[slot]; }
  int64_t capacity() const { return capacity_; }

  // Forgets what slot held.
  void Clear(int64_t slot) { lengths_[slot] = 0; }

  // Moves the content of slot `from` to slot `to`.
  void Move(int64_t from, int64_t to);

 private:
  friend class PrefillAttention;
  friend class StepAttention;

  int64_t capacity_;
  std::vector<int64_t> lengths_;
  // Of all layers, [layers, slots, kv_heads, capacity, head_dim], and views of each. On the CPU the
  // tokens of a head lie together, on other devices the heads of a token, as flash attention has them.
  at::Tensor all_keys_, all_values_;
  std::vector<at::Tensor> keys_, values_;
};

// Packed attention over whole prompts that also fills the slots: sequence s goes to slot slots[s],
// which is empty. Lengths are set once the last layer has run.
class PrefillAttention : public Attention {
 public:
  PrefillAttention(KeyValueCache& cache, std::vector<int64_t> slots, std::vector<int64_t> offsets,
                   const ModelConfig& config);

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override { return packed_.SequenceLengths(); }
  int64_t LongestSequence() const override { return packed_.LongestSequence(); }

 private:
  void Store(int64_t layer, const at::Tensor& k, const at::Tensor& v);

  KeyValueCache& cache_;
  std::vector<int64_t> slots_, offsets_;
  int64_t layers_;
  PackedAttention packed_;
  at::Tensor slot_of_row_, position_of_row_;  // int64 [T]; only on other devices than the CPU
};

// One new token for each of the slots 0 .. B-1.
class StepAttention : public Attention {
 public:
  StepAttention(KeyValueCache& cache, int64_t active, const ModelConfig& config);

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override { return positions_ + 1; }
  int64_t LongestSequence() const override { return longest_; }

 private:
  // All slots in one product, as far as the longest reads: for devices without SlotAttention, and
  // where flash attention has no kernel.
  at::Tensor AttendTogether(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v);

  // Puts the new tokens where they belong.
  void Store(int64_t layer, const at::Tensor& k, const at::Tensor& v);

  // bool [B, 1, 1, longest]: keys that a token must not see.
  const at::Tensor& Hidden(std::optional<int64_t> window);

  KeyValueCache& cache_;
  int64_t active_, layers_, longest_ = 0;
  at::Tensor slots_, positions_;                         // int64 [B]
  at::Tensor lengths_;                                   // int32 [B], the new token included
  std::map<std::optional<int64_t>, at::Tensor> hidden_;  // by window
};

}  // namespace grin
