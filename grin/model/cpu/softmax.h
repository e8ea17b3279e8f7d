#pragma once
// The softmax over a vocabulary: of rows that come in blocks of columns, so that whole rows of
// logits never exist; in the order of LibTorch's losses; and its largest entry.

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
  at::Tensor LogNormaliser() const;  // float64 [N]: log sum exp
  at::Tensor Argmax() const;         // int64 [N], when asked: the first of equals
  at::Tensor Mean() const;           // fp32 [N], when asked: E[log p]
  at::Tensor Variance() const;       // fp32 [N], when asked: Var[log p]

 private:
  // Sums over columns j of weights exp(logit_j - largest), all float64 [N].
  struct Sums {
    at::Tensor largest;
    at::Tensor total;  // of the weights
    // Only where moments are asked for, of the distances logit_j - largest:
    at::Tensor mean;     // weighted
    at::Tensor squares;  // of the differences from the mean, weighted
  };

  Sums OfBlock(const at::Tensor& block) const;
  void Merge(const Sums& block);

  Extras extras_;
  Sums sums_;
  at::Tensor argmax_;
};

// log sum exp of each row, fp32 [N, V] -> fp32 [N], as LibTorch's CPU kernel for a dimension other
// than the last has it: the exponentials are added to one float from left to right, which loses
// what is below its last place. Over 32,000 tokens the result is off by up to 1e-3. cross_entropy
// over transposed logits computes so, and with it every loss that OpenUnlearning reports. On other
// devices nothing is lost, there as here.
at::Tensor SerialLogNormaliser(const at::Tensor& logits);

// The first index of the largest value of each row: int64 [N] of fp32 [N, V]; of the first NaN
// where there is one.
at::Tensor ArgmaxOfRows(const at::Tensor& rows);

}  // namespace grin
