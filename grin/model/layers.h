#pragma once
// The layers of a decoder block, each with its own backward pass that hands weight gradients to a
// sink. All take packed rows [T, d]; a null sink means that no weight gradient is wanted.

#include <ATen/ATen.h>

#include <optional>

#include "grin/model/config.h"
#include "grin/model/gradient_sink.h"
#include "grin/model/weights.h"

namespace grin {

struct LinearWeights {
  Parameter weight;         // [out, in], or [in, out] when transposed
  Parameter bias;           // [out] or undefined
  bool transposed = false;  // as stored by GPT-2

  bool defined() const { return weight.defined(); }
};

// Whether the gradient of this weight is to be handed over.
inline bool Wants(const GradientSink* sink, const Parameter& parameter) {
  return sink && parameter.defined() && sink->Wants(parameter.name);
}

// x [T, in] -> [T, out].
at::Tensor Linear(const at::Tensor& x, const LinearWeights& weights, GradientSink* sink);

// activation(x), elementwise.
at::Tensor Activate(const at::Tensor& x, Activation activation);

// Linear of activation(gate) * up, [T, in] each. Only these two are kept for the backward pass, which
// computes their product again.
at::Tensor GatedLinear(const at::Tensor& gate, const at::Tensor& up, Activation activation,
                       const LinearWeights& weights, GradientSink* sink);

struct EmbedOptions {
  double scale = 1.0;            // of the rows, rounded to their type
  std::optional<int64_t> fixed;  // a row that gets no gradient
};

// Rows of the embedding: ids [T] -> [T, d]. With a sink the result starts the autograd tape.
at::Tensor Embed(const at::Tensor& ids, const Parameter& embedding, GradientSink* sink,
                 const EmbedOptions& options = {});

}  // namespace grin
