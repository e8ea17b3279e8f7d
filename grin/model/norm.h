#pragma once
// Normalisation of rows, with its own backward pass that hands weight gradients to a sink.

#include <ATen/ATen.h>

#include "grin/model/config.h"
#include "grin/model/gradient_sink.h"
#include "grin/model/weights.h"

namespace grin {

struct NormWeights {
  Parameter weight, bias;  // [d], or undefined
  bool present = false;    // an absent norm hands its input on
};

// x [..., d] -> [..., d], by x's last dimension. Statistics and the scaled result are computed in
// fp32 and rounded once.
//   rms    x / rms(x) * (weight + offset)           Zhang and Sennrich 2019
//   layer  (x - mean(x)) / std(x) * weight + bias   Ba et al. 2016
at::Tensor Norm(const at::Tensor& x, const NormWeights& weights, const NormConfig& config,
                GradientSink* sink);

}  // namespace grin
