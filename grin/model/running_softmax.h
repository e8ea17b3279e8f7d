#pragma once
// The softmax of rows that come in blocks of columns: whole rows of logits never exist.

#include <ATen/ATen.h>

namespace grin {

class RunningSoftmax {
 public:
  struct Extras {
    bool argmax = false;
    bool moments = false;  // mean and variance of log p under p
  };

  explicit RunningSoftmax(Extras extras) : extras_(extras) {}

  // Takes columns first .. first + c of every row, fp32 [N, c]. Blocks come from left to right.
  void Add(const at::Tensor& block, int64_t first);

  // Of what was added. A row with a NaN gives NaN, and its first NaN as argmax.
  at::Tensor LogNormaliser() const;  // fp32 [N]: log sum exp
  at::Tensor Argmax() const;         // int64 [N], when asked: the first of equals
  at::Tensor Mean() const;           // fp32 [N], when asked: E[log p]
  at::Tensor Variance() const;       // fp32 [N], when asked: Var[log p]

 private:
  // Sums over columns j of weights exp(logit_j - largest).
  struct Sums {
    at::Tensor largest;  // fp32 [N]
    at::Tensor total;    // fp32 [N]: of the weights
    // Only where moments are asked for, of the distances logit_j - largest:
    at::Tensor mean;     // fp32 [N], weighted
    at::Tensor squares;  // fp32 [N]: of the differences from the mean, weighted
  };

  Sums OfBlock(const at::Tensor& block) const;
  void Merge(const Sums& block);

  Extras extras_;
  Sums sums_;
  at::Tensor argmax_;
};

}  // namespace grin
