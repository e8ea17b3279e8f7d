#pragma once
// The layers of a decoder block, each with its own backward pass that hands weight gradients to a
// sink. All take packed rows [T, d]; a null sink means that no weight gradient is wanted.

#include <ATen/ATen.h>

#include "grin/model/config.h"
#include "grin/model/gradient_sink.h"
#include "grin/model/weights.h"

namespace grin {

struct LinearWeights {
  Parameter weight;  // [out, in]
  Parameter bias;    // [out] or undefined
};

// x [T, in] -> [T, out].
at::Tensor Linear(const at::Tensor& x, const LinearWeights& weights, GradientSink* sink);

// x / rms(x) * weight, statistics in fp32 (Zhang and Sennrich 2019). x [T, d] -> [T, d].
at::Tensor RmsNorm(const at::Tensor& x, const Parameter& weight, double epsilon,
                   GradientSink* sink);

// activation(gate) * up, elementwise; only the two inputs are kept for the backward pass.
at::Tensor Gated(const at::Tensor& gate, const at::Tensor& up, Activation activation);

// Rows of the embedding: tokens [T] -> [T, d]. With a sink the result starts the autograd tape.
at::Tensor Embed(const at::Tensor& tokens, const Parameter& embedding, GradientSink* sink);

}  // namespace grin
