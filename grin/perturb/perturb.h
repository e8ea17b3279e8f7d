#pragma once
// Shakes the selected entries of one weight before tuning. Random numbers are keyed by seed, tensor
// name and position: the same for any thread count, device or sharding.

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace grin {

struct Perturbation {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  // `values` fp32 [n], changed in place: the entries at `indices` (int64 [n], flat positions in the
  // weight; undefined: 0..n-1). `sigma` is the standard deviation of the noise.
  void (*function)(std::string_view name, const at::Tensor& indices, at::Tensor& values,
                   double sigma, uint64_t seed);
};

std::span<const Perturbation> Perturbations();

// Error (usage) that lists the known ones and names the nearest.
const Perturbation& FindPerturbation(std::string_view name);

// Population standard deviation of a whole weight (fp32, bf16 or fp16), computed in double.
double StandardDeviation(const at::Tensor& weight);

}  // namespace grin
