#pragma once
// Matrix products of activations and weights.

#include <ATen/ATen.h>

namespace grin {

// a [M, K] times b [K, N], plus bias [N] where defined, in a's type. On processors that multiply
// fp32 faster than bf16 (x86 without AMX), bf16 factors of many rows are widened first. The product
// of two bf16 numbers is exact in fp32 and sums are in fp32 either way, so that only the order of
// the sums differs.
at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

// sum [M, N] += a [T, M] transposed times b [T, N], fp32: the gradient of a linear layer's weight.
// Never rounded to bf16 on the CPU.
void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace grin
