#pragma once
// Shakes the selected entries of one weight before tuning. Random numbers are keyed by seed, tensor
// name and position: the same for any thread count, device or sharding.

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace grin {

// Of all entries of a weight, selected or not.
struct Moments {
  double mean = 0;
  double deviation = 0;  // standard deviation of the population
};

// What a perturbation may look at for one weight.
struct PerturbInput {
  std::string_view name;
  at::Tensor indices;        // int64 [n], flat positions in the weight; undefined: 0..n-1
  at::IntArrayRef shape;     // of the whole weight
  Moments moments;           // of the whole weight, before; 0 unless asked for
  double sigma = 0;          // standard deviation of the noise
  double shrink = 0;         // a of shrink: how far to the noise
  double shrink_noise = 0;   // b of shrink
  uint64_t seed = 0;
};

struct Perturbation {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  bool uses_sigma;           // does nothing where sigma is 0
  bool uses_moments;
  // Changes `values`, fp32 [n], in place: the entries at input.indices.
  void (*function)(const PerturbInput& input, at::Tensor& values);
};

std::span<const Perturbation> Perturbations();

// Error (usage) that lists the known ones and names the nearest.
const Perturbation& FindPerturbation(std::string_view name);

// Of a whole weight (fp32, bf16 or fp16), computed in double.
Moments MomentsOf(const at::Tensor& weight);
double StandardDeviation(const at::Tensor& weight);

}  // namespace grin
