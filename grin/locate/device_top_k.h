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

// How often each first digit of the keys of digits.h occurs, of fp32 [n]: int64 [2048]. Of -0 it is the
// one below that of +0, unless magnitudes are counted.
at::Tensor FirstDigitsOnDevice(const at::Tensor& values, bool absolute);

// The least float whose key has this first digit, int64 [], -infinity for those of NaNs below it and
// where the digit is -1: fp32 [].
at::Tensor LeastOfFirstDigit(const at::Tensor& digit);

// bool [n] -> uint8 [ceil(n / 8)], lowest bit first. On any device.
at::Tensor PackBits(const at::Tensor& selected);

}  // namespace grin
