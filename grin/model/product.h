#pragma once
// Matrix products of activations and weights.
//
// One rule for the CPU, whatever the number of rows: factors of fp32 or bf16, which are exact in
// fp32, sums in fp32, every number by the same operations in the same order
// (grin/model/cpu/dot_products.h). A row's result is the same to the bit alone and among others, by
// one thread and by many. Other devices and types take LibTorch's products.

#include <ATen/ATen.h>

namespace grin {

// Whether products of this type on this device are made by the rule above from factors that are
// narrower than fp32: bf16 on the CPU. What lies between two products may then as well be fp32.
bool WidensFactors(const at::Tensor& a);
bool WidensFactors(at::Device device, at::ScalarType type);

// a [M, K] times b [K, N], plus bias [N] where defined, in a's type: rounded once, at the end.
at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

// The same for many pairs of matrices, a [B, C, M, K] times b [B, C, K, N], without a bias.
at::Tensor PairwiseProduct(const at::Tensor& a, const at::Tensor& b);

// Product in fp32, not rounded to a's type, for a weight [N, K]: out, fp32 [M, N], = a [M, K]
// times the weight transposed; and a [M, N], fp32, times the weight, fp32 [M, K]. On CUDA a factor in
// fp32 is rounded to the type of a narrower weight first, whose products with fp32 sums are an order
// of magnitude faster; on other devices the weight is widened block by block.
void WideProduct(at::Tensor& out, const at::Tensor& a, const at::Tensor& weight);
at::Tensor WideBackProduct(const at::Tensor& a, const at::Tensor& weight);

// a [T, M] transposed times b [T, N], fp32 [M, N]: the gradient of a linear layer's weight. Sums are
// in fp32 and never rounded to bf16.
at::Tensor OuterProduct(const at::Tensor& a, const at::Tensor& b);

// sum [M, N] += that.
void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace grin
