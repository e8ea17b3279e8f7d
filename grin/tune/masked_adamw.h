#pragma once
// AdamW (Loshchilov & Hutter 2019, in PyTorch's form) whose state, gradient and fp32 master values
// exist for the selected entries only. Nothing outside the mask is read or written. CPU tensors;
// results do not depend on the number of threads.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace grin {

struct MaskedParameter {
  std::string name;
  at::Tensor indices;   // int64 or int32 [n], ascending flat positions; undefined: every entry
  at::Tensor master;    // fp32 [n], the values before rounding to the weight's type
  at::Tensor m;         // fp32 [n], mean of gradients
  at::Tensor v;         // fp32 [n], mean of squared gradients
  at::Tensor gradient;  // fp32 [n]
};

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

// Reads the selected entries of a contiguous weight (fp32, bf16 or fp16); state and gradient are 0.
MaskedParameter MakeMaskedParameter(std::string name, const at::Tensor& weight, at::Tensor indices);

// Reads the masters again.
void ReadMasters(MaskedParameter& parameter, const at::Tensor& weight);

// gradient += scale * dense[indices], with `dense` contiguous, fp32 or bf16, in the weight's shape.
void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter);

// One step, number `step` counted from 1, in a single pass over the buffers.
void AdamWStep(MaskedParameter& parameter, const AdamWSettings& settings, double lr, int64_t step);

// Stores the master values, rounded to nearest even, at the selected positions of a contiguous
// weight (fp32, bf16 or fp16), and nowhere else.
void WriteBack(const MaskedParameter& parameter, at::Tensor& weight);

}  // namespace grin
