#pragma once
// The likeliest next token. It is that of exact arithmetic, on every processor and device: tokens
// that cannot be it are ruled out by a bound on rounding errors, the few others are compared in
// float64.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "grin/model/head.h"

namespace grin {

// Tokens of each row, in ascending order.
using CandidateLists = std::vector<std::vector<int32_t>>;

// Rules out tokens by a product of bytes, which costs less than the product in fp32 and writes no
// logits.
//
// With h' and w' the rounded vectors, |h.w - h'.w'| <= |h - h'| |w| + |h'| |w - w'|, so a logit
// lies within that margin of the product in bytes.
class Int8Screen {
 public:
  // Nothing where it would not serve: the head is not fp32 on the CPU, or has a number that is not
  // finite.
  static std::optional<Int8Screen> Of(const Head& head);

  // For each row of hidden fp32 [N, d] tokens among which are all those whose logit, in exact
  // arithmetic and before a softcap, is the largest. A row of zeros or of numbers beyond any use
  // has all tokens; one with a number that is not finite has none.
  CandidateLists Candidates(const at::Tensor& hidden) const;

 private:
  Int8Screen() = default;

  int64_t vocabulary_ = 0, width_ = 0;
  // int8 [V / 32, d / 4, 32, 4], both rounded up.
  at::Tensor levels_;
  at::Tensor offset_;  // int32 [V], rounded up: what the hidden levels' own offset adds
  // fp32 [V], rounded up likewise. The bias of a token that is not there is -infinity.
  at::Tensor scale_, bias_;
  at::Tensor norm_, error_, slack_;  // |w|, |w - w'| and what rounding in fp32 may add
};

class GreedyHead {
 public:
  explicit GreedyHead(const Head& head);

  // int64 [N], on the CPU, of hidden rows [N, d]: the first of equals. A softcap, which keeps the
  // order of numbers but for its rounding, has no say. For a row with a number that is not finite
  // the first of the largest logits. Other devices are asked once, for all rows together.
  at::Tensor operator()(const at::Tensor& hidden);

 private:
  // The same on another device.
  at::Tensor ChooseOnDevice(const at::Tensor& hidden);
  // Of one row [d] whose candidates are many, those with logits >= `least`, fp32 [].
  at::Tensor ChooseAmongAll(const at::Tensor& row, const at::Tensor& logits,
                            const at::Tensor& least) const;
  // More than what sums in fp32 may be off by, relative to |h| |w| + |bias|.
  double Rounding() const;

  // Those whose fp32 logit reaches the largest one less what fp32 sums may be off by.
  CandidateLists CandidatesByLogits(const at::Tensor& hidden);
  // `best` [N] for rows that have candidates.
  void CompareExactly(const at::Tensor& hidden, const CandidateLists& candidates,
                      at::Tensor& best) const;

  Head head_;  // without the softcap
  LogitsBuffer logits_;
  std::optional<Int8Screen> screen_;
  bool is_exact_ = false;  // in a type whose products are exact in float64
  double largest_norm_ = 0, largest_bias_ = 0;  // of the weight's rows; only without a screen
};

}  // namespace grin
