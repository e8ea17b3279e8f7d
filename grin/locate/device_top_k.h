#pragma once
// The selection of top_k.h for scores on another device than the CPU, by LibTorch's operators: the same
// masks and the same values, without a sort. The value of a rank is found digit by digit, by counting how
// many scores have each; the host learns nothing until the end.

#include <vector>

#include "grin/locate/top_k.h"

namespace grin {

// How many values of each tensor are NaN, in one read.
std::vector<int64_t> CountNaNsOnDevice(const std::vector<ScoreTensor>& tensors);

// As SelectTopK, of scores without NaN. The masks are in the order of `ordered`.
std::vector<MaskTensor> SelectOnDevice(const std::vector<const ScoreTensor*>& ordered, int64_t k);

// The value at `rank` (from 0) in ascending order.
float ValueOfRankOnDevice(const std::vector<ScoreTensor>& tensors, int64_t rank, bool absolute);

}  // namespace grin
