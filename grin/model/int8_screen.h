#pragma once
// Which tokens can have the largest logit, told by a product in int8. It costs a quarter of the
// product in fp32 and writes no logits.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "grin/model/head.h"

namespace grin {

class Int8Screen {
 public:
  // Nothing where it would not serve: the head is not fp32 on the CPU, has a number that is not
  // finite or a softcap (whose rounding makes equals of different logits), or the processor does
  // not multiply int8 fast (AVX-512 VNNI).
  static std::optional<Int8Screen> Of(const Head& head);

  // For each row of hidden fp32 [N, d], in ascending order, tokens among which are all those whose
  // logit, in exact arithmetic, is the largest. Nothing where the rows do not suit: a row of zeros,
  // or a number that is not finite.
  //
  // With h' and w' the rounded vectors, |h.w - h'.w'| <= |h - h'| |w| + |h'| |w - w'|, so a logit
  // lies within that margin of the product in int8. A token stays while the upper end of its
  // interval reaches the largest of the lower ends.
  std::optional<std::vector<std::vector<int32_t>>> Candidates(const at::Tensor& hidden) const;

 private:
  Int8Screen() = default;

  int64_t vocabulary_ = 0, width_ = 0;
  // uint8 [V / 32, 2, d / 4, 16, 4], both rounded up: 16 tokens by 4 numbers are one register.
  at::Tensor weights_;
  // fp32 [V], rounded up likewise. The bias of a token that is not there is -infinity.
  at::Tensor scale_, bias_;
  at::Tensor norm_, error_, slack_;  // |w|, |w - w'| and what rounding in fp32 may add
};

}  // namespace grin
