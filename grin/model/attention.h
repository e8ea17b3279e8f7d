#pragma once
// Causal attention over packed rows. Queries [T, heads, head_dim], keys and values
// [T, kv_heads, head_dim] -> [T, heads * head_dim].

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "grin/model/config.h"

namespace grin {

// The decoder attends through this; who sees whom is the implementation's choice.
class Attention {
 public:
  virtual ~Attention() = default;

  virtual at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v) = 0;

  // For each row the number of tokens that its sequence has: int64 [T].
  virtual at::Tensor SequenceLengths() const = 0;
};

// Each sequence sees itself alone, without the keys that are hidden: `unseen` as in PackedBatch.
class PackedAttention : public Attention {
 public:
  explicit PackedAttention(std::vector<int64_t> offsets, at::Tensor unseen = {})
      : offsets_(std::move(offsets)), unseen_(std::move(unseen)) {}

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override;

 private:
  std::vector<int64_t> offsets_;
  at::Tensor unseen_;
};

// Sequences that share the rows of their first tokens: see PackedBatch. Each is attended in full.
class SharedPrefixAttention : public Attention {
 public:
  // offsets [S + 1] of the sequences in full, F tokens in all; expand int64 [F], collect int64 [T],
  // unseen bool [T] or undefined.
  SharedPrefixAttention(std::vector<int64_t> offsets, at::Tensor expand, at::Tensor collect,
                        const at::Tensor& unseen = {})
      : packed_(std::move(offsets), unseen.defined() ? unseen.index_select(0, expand) : unseen),
        expand_(std::move(expand)),
        collect_(std::move(collect)) {}

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override;

 private:
  PackedAttention packed_;
  at::Tensor expand_, collect_;
};

}  // namespace grin
