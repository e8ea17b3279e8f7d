#pragma once
// Causal attention over packed rows. Queries [T, heads, head_dim], keys and values
// [T, kv_heads, head_dim] -> [T, heads * head_dim]. Query heads share key heads in order: as many
// neighbouring ones as there are query heads for each key head.

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "grin/model/config.h"
#include "grin/model/packed_batch.h"

namespace grin {

// The decoder attends through this; who sees whom is the implementation's choice. One object serves
// the layers of one forward pass.
class Attention {
 public:
  virtual ~Attention() = default;

  virtual at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v) = 0;

  // For each row the number of tokens that its sequence has: int64 [T], on the device.
  virtual at::Tensor SequenceLengths() const = 0;

  // The largest of those numbers, known without asking the device.
  virtual int64_t LongestSequence() const = 0;
};

// Each sequence sees itself alone, without the keys that are hidden: `unseen` as in PackedBatch. By the
// kernel that ChooseAttention names. Computed in fp32 where products of the type are widened: see
// WidensFactors.
class PackedAttention : public Attention {
 public:
  explicit PackedAttention(Segments segments, at::Tensor unseen = {})
      : segments_(std::move(segments)), unseen_(std::move(unseen)) {}

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override { return segments_.Lengths(); }
  int64_t LongestSequence() const override { return segments_.longest; }

 private:
  at::Tensor AttendByLength(const AttentionSpec& spec, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v);

  // Who sees whom in the sequences of a run, where that is more than "all that came before"; nothing
  // where it is not. Made for the first layer that asks.
  std::optional<at::Tensor> Seen(const Segments::Run& run, const AttentionSpec& spec);

  Segments segments_;
  at::Tensor unseen_;
  // By first row (-1: whatever the rows), length and window.
  std::map<std::tuple<int64_t, int64_t, std::optional<int64_t>>, at::Tensor> masks_;
};

// Sequences that share the rows of their first tokens: see PackedBatch. Each is attended in full.
class SharedPrefixAttention : public Attention {
 public:
  // Segments of the sequences in full, F tokens in all; expand int64 [F], collect int64 [T], unseen
  // bool [T] or undefined.
  SharedPrefixAttention(Segments segments, at::Tensor expand, at::Tensor collect,
                        const at::Tensor& unseen = {})
      : packed_(std::move(segments), unseen.defined() ? unseen.index_select(0, expand) : unseen),
        expand_(std::move(expand)),
        collect_(std::move(collect)) {}

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override {
    return packed_.SequenceLengths().index_select(0, collect_);
  }
  int64_t LongestSequence() const override { return packed_.LongestSequence(); }

 private:
  PackedAttention packed_;
  at::Tensor expand_, collect_;
};

// Attention whose scores are capped by a tanh (Gemma 2), which no fused kernel of LibTorch offers.
// q [count, heads, length, head_dim], k and v with as many heads or fewer -> the shape of q. `seen`
// is bool [length, length] or [count, 1, length, length]. The backward pass computes the scores
// again, so that none are kept. `spec` has a softcap.
at::Tensor CappedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionSpec& spec, const at::Tensor& seen);

}  // namespace grin
