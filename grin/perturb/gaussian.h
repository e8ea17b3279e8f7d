#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string_view>

namespace grin {

// values[j] += sigma * N(0, 1) of stream "perturb/<name>" at position indices[j] (undefined
// indices: j). `values` fp32 [n] contiguous, `indices` int64 [n]; the sum is rounded once, to fp32.
void PerturbGaussian(std::string_view name, const at::Tensor& indices, at::Tensor& values,
                     double sigma, uint64_t seed);

}  // namespace grin
