#pragma once
// The selection of top_k.h for scores that come weight by weight and need not all be kept: the same
// mask, to the bit.
//
// What has come so far says how high the last selected score lies at least: as high as the k-th of
// those. So of each weight only the scores are kept that reach this bound, as one bit for each
// entry and the scores themselves, on the host. By the end about k (1 + ln(n / k)) of n have been
// kept, a few times k, however they lie; and the bound needs no more than how often each first
// digit of the scores came (digits.h), counted where the scores are.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grin/locate/digits.h"
#include "grin/locate/mask.h"

namespace grin {

class RunningTopK {
 public:
  // The k highest; or, with a threshold, all that are above it.
  static RunningTopK Highest(int64_t k) { return RunningTopK(k, std::nullopt); }
  static RunningTopK Above(double threshold) { return RunningTopK(0, threshold); }

  // The scores of one weight, fp32, on any device, each weight once, in any order.
  void Add(const std::string& name, const at::Tensor& scores);

  // Every weight that was added is in the mask. Equal scores go to the lower position, as in
  // SelectTopK. Error (bad input) naming the weight where a score is NaN.
  Mask Finish();

  // How many scores are above the threshold.
  int64_t kept() const;

 private:
  RunningTopK(int64_t k, std::optional<double> threshold) : k_(k), threshold_(threshold) {}

  // The scores of one weight that may be selected: which they are, and themselves, in order.
  struct Candidates {
    MaskTensor mask;
    at::Tensor scores;  // fp32 [c] on the host
  };

  // Of a piece of a weight: bool [n].
  at::Tensor Reach(const at::Tensor& piece);

  int64_t k_;
  std::optional<double> threshold_;
  FirstDigits digits_{/*absolute=*/false};
  std::vector<Candidates> candidates_;
};

}  // namespace grin
