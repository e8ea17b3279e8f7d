#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "grin/model/head.h"
#include "grin/model/int8_screen.h"

namespace grin {

// The likeliest next token. Where the processor allows it, tokens that cannot be it are ruled out
// in int8 and the few others are compared in float64; the answer is that of exact arithmetic.
// Elsewhere it is the largest of the head's logits.
class GreedyHead {
 public:
  explicit GreedyHead(const Head& head);

  // int64 [N] of hidden rows [N, d]: the first of equals.
  at::Tensor operator()(const at::Tensor& hidden);

 private:
  at::Tensor Exact(const at::Tensor& hidden,
                   const std::vector<std::vector<int32_t>>& candidates) const;

  Head head_;
  LogitsBuffer logits_;
  std::optional<Int8Screen> screen_;
};

}  // namespace grin
