#pragma once
// fp32 products by oneDNN, which comes with LibTorch beside MKL.

#include <ATen/ATen.h>

namespace grin {

// Whether oneDNN multiplies these rows [M, K] by a matrix faster than MKL, which has its best kernels
// for Intel's processors alone: fp32 on another x86 processor, where LibTorch has oneDNN. Depends on
// the machine and the shape, never on a measurement, so that a run can be repeated.
bool PrefersOneDnn(const at::Tensor& a);

// a [M, K] times weight [N, K] transposed, plus bias [N] where defined: fp32 [M, N]. `weight` is
// contiguous. Not on the autograd tape.
at::Tensor OneDnnProduct(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace grin
