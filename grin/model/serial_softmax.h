#pragma once
// The softmax over a vocabulary as LibTorch's CPU kernel for a dimension other than the last has it.

#include <ATen/ATen.h>

namespace grin {

// log sum exp of each row, fp32 [N, V] -> fp32 [N]. On the CPU the exponentials are added to one
// float from left to right, which loses what is below its last place: over 32,000 tokens the result
// is off by up to 1e-3. cross_entropy over transposed logits computes so, and with it every loss
// that OpenUnlearning reports. On other devices nothing is lost, there as here.
at::Tensor SerialLogNormaliser(const at::Tensor& logits);

}  // namespace grin
