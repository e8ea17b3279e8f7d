#pragma once
// Exact selection over all scored weights at once, in linear time and without a copy: a radix
// histogram over the bit pattern of the scores finds the value of a rank. Neither sees the number
// of threads or the order in which tensors are given. Scores lie all on one device; on another than
// the CPU see device_top_k.h.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "grin/locate/digits.h"
#include "grin/locate/mask.h"

namespace grin {

// One number per entry of a weight: fp32, contiguous, in the weight's shape.
struct ScoreTensor {
  std::string name;
  at::Tensor values;
};

// round-half-up(fraction * total), the number of weights that a fraction selects.
int64_t RoundedCount(double fraction, int64_t total);

// The k highest scores of all tensors together. Equal scores (-0 equals +0) go to the lower
// position: tensors in the order of their names, then flat index. Every tensor is in the mask, also
// one of which nothing is selected. Error (bad input) naming the tensor when a score is NaN.
Mask SelectTopK(const std::vector<ScoreTensor>& scores, int64_t k);

// Which scores those are: every one whose key (digits.h) is above the threshold, and of each tensor the
// first few of those equal to it. The tensors lie on the CPU, in the order of their names, without NaN.
struct SelectedFrom {
  uint32_t threshold = 0;
  std::vector<int64_t> ties;  // of each tensor
};
SelectedFrom FindSelected(const std::vector<ScoreTensor>& ordered, int64_t k);

// How many scores of all tensors together exceed a value.
int64_t CountAbove(const std::vector<ScoreTensor>& scores, double value);

// The p-th percentile, p in 0..100, by the lower method: sorted[floor(p / 100 * (n - 1))]; of the
// absolute values where `absolute`. Error (bad input) on NaN, or where there are no values.
float Percentile(const std::vector<ScoreTensor>& values, double p, bool absolute = true);

// The same of the magnitudes of values on the CPU, whose first digits were counted as they came; and how
// many are below it. Reads the values twice instead of four times.
struct PercentileFound {
  float value = 0;
  int64_t below = 0;
};
PercentileFound Percentile(const std::vector<ScoreTensor>& values, double p,
                           const FirstDigits& digits);

}  // namespace grin
