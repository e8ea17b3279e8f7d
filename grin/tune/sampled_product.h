#pragma once
// The selected entries of a weight's gradient, computed one by one: the dense gradient never
// exists. Where the mask is sparse enough this is less work than the dense product.

#include <ATen/ATen.h>

#include "grin/tune/arena.h"

namespace grin {

class SampledProduct {
 public:
  // parameter.gradient[j] += sum_t grad_output[t, r] * input[t, c] for each selected entry
  // j = (r, c) of a weight [out, in]; grad_output [T, out], input [T, in], both fp32 or both bf16
  // on the CPU. Products and sums are in fp32 and do not depend on the number of threads.
  void Add(const at::Tensor& grad_output, const at::Tensor& input, MaskedParameter& parameter);

  // Whether this is expected to beat the dense product for a mask of this density (selected / all
  // entries). An estimate from the speed of the inner loops; bench/sampled_product.cc measures it.
  static bool Pays(double density);

 private:
  // fp32 [C, T padded], row-major.
  at::Tensor Transposed(const at::Tensor& factor) const;

  // Matrices that read the same rows (q, k and v; gate and up) come one after another.
  at::Tensor input_, columns_;  // the last input, kept so that its memory is not used again
};

}  // namespace grin
