#pragma once
// The strongest directions of a matrix, and a matrix without their strength.

#include <ATen/ATen.h>

#include <cstdint>

namespace grin {

struct LowRank {
  at::Tensor u;  // fp32 [m, k], orthonormal columns
  at::Tensor s;  // fp32 [k], descending, above 0
  at::Tensor v;  // fp32 [n, k]
};

// The `rank` largest singular values of a matrix fp32 [m, n] with their directions; fewer where the
// others are 0 but for rounding. Exact for matrices with a side up to 768 and for many directions; else
// by a randomised range with two power iterations (Halko et al. 2011), its numbers drawn by `seed`.
LowRank StrongestDirections(const at::Tensor& matrix, int64_t rank, uint64_t seed);

// Divides each of these directions of the matrix by s_i / s_min, on the side of its columns and on that
// of its rows; what lies outside of them stays as it is. fp32 [m, n].
at::Tensor WeakenDirections(const at::Tensor& matrix, const LowRank& directions);

}  // namespace grin
