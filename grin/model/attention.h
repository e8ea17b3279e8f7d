#pragma once
// Causal attention over packed rows. Queries [T, heads, head_dim], keys and values
// [T, kv_heads, head_dim] -> [T, heads * head_dim].

#include <ATen/ATen.h>

#include <optional>
#include <vector>

namespace grin {

class Attention {
 public:
  virtual ~Attention() = default;
  virtual at::Tensor Attend(int64_t layer, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v) = 0;
};

// Each sequence sees itself alone; `window` limits how far back a token sees.
class PackedAttention : public Attention {
 public:
  PackedAttention(std::vector<int64_t> offsets, std::optional<int64_t> window);

  at::Tensor Attend(int64_t layer, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) override;

 private:
  std::vector<int64_t> offsets_;
  std::optional<int64_t> window_;
};

}  // namespace grin
