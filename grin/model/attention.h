#pragma once
// Causal attention over packed rows. Queries [T, heads, head_dim], keys and values
// [T, kv_heads, head_dim] -> [T, heads * head_dim].

#include <ATen/ATen.h>

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

// Each sequence sees itself alone.
class PackedAttention : public Attention {
 public:
  explicit PackedAttention(std::vector<int64_t> offsets) : offsets_(std::move(offsets)) {}

  at::Tensor Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                    const at::Tensor& k, const at::Tensor& v) override;
  at::Tensor SequenceLengths() const override;

 private:
  std::vector<int64_t> offsets_;
};

}  // namespace grin
