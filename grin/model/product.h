#pragma once
// Matrix products of activations and weights.

#include <ATen/ATen.h>

namespace grin {

// a [M, K] times b [K, N], plus bias [N] where defined, in a's type. On processors that multiply
// fp32 faster than bf16 (x86 without AMX), bf16 factors of many rows are widened first. The product
// of two bf16 numbers is exact in fp32 and sums are in fp32 either way, so that only the order of
// the sums differs.
at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

// Whether Product widens factors of this type, on this device, of at least kManyRows rows.
bool WidensFactors(const at::Tensor& a);
inline constexpr int64_t kManyRows = 128;  // fewer do not pay for widening the weights

// The same for a weight [N, K] that is too large to be widened whole: block by block, in fp32
// throughout. out [M, N] = a [M, K] times the weight transposed; and a [M, N] times the weight.
void WideProduct(at::Tensor& out, const at::Tensor& a, const at::Tensor& weight);
at::Tensor WideBackProduct(const at::Tensor& a, const at::Tensor& weight);

// sum [M, N] += a [T, M] transposed times b [T, N], fp32: the gradient of a linear layer's weight.
// Never rounded to bf16 on the CPU.
void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace grin
