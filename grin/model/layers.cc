#include "grin/model/layers.h"

#include <ATen/core/grad_mode.h>

#include "grin/base/error.h"
#include "grin/model/product.h"
#include "grin/model/record.h"

namespace grin {
namespace {

at::Tensor ActivateBackward(const at::Tensor& gradient, const at::Tensor& x,
                            Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu_backward(gradient, x);
    case Activation::kGelu:
      return at::gelu_backward(gradient, x);
    case Activation::kGeluTanh:
      return at::gelu_backward(gradient, x, "tanh");
    case Activation::kRelu:
      return at::threshold_backward(gradient, x, 0);
  }
  Defect("model", "unknown activation");
}

// [out, in]
at::Tensor Matrix(const LinearWeights& weights) {
  return weights.transposed ? weights.weight.value.t() : weights.weight.value;
}

// Gives the sink the weights' gradients: that of the matrix where its input [T, in] was kept.
void HandOver(GradientSink* sink, const LinearWeights& weights, const at::Tensor& gradient,
              const at::Tensor& input) {
  if (input.defined() && weights.transposed) {
    sink->AddProduct(weights.weight.name, input, gradient);
  } else if (input.defined()) {
    sink->AddProduct(weights.weight.name, gradient, input);
  }
  if (Wants(sink, weights.bias)) {
    sink->AddVector(weights.bias.name, gradient.sum(0, false, at::kFloat));
  }
}

}  // namespace

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kRelu:
      return at::relu(x);
  }
  Defect("model", "unknown activation");
}

at::Tensor Linear(const at::Tensor& x, const LinearWeights& weights, GradientSink* sink) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = Product(x, Matrix(weights).t(), weights.bias.value);
  }
  // The input is kept only where the weight's gradient is wanted.
  const at::Tensor input = Wants(sink, weights.weight) ? x.detach() : at::Tensor();
  return RecordBackward("linear", {x}, output, [=](const at::Tensor& gradient) {
    HandOver(sink, weights, gradient, input);
    return std::vector{Product(gradient, Matrix(weights))};
  });
}

at::Tensor GatedLinear(const at::Tensor& gate, const at::Tensor& up, Activation activation,
                       const LinearWeights& weights, GradientSink* sink) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = Product(Activate(gate, activation).mul_(up), Matrix(weights).t(), weights.bias.value);
  }
  const at::Tensor gate_in = gate.detach(), up_in = up.detach();
  return RecordBackward("gated_linear", {gate, up}, output, [=](const at::Tensor& gradient) {
    const at::Tensor active = Activate(gate_in, activation);
    HandOver(sink, weights, gradient,
             Wants(sink, weights.weight) ? active * up_in : at::Tensor());
    const at::Tensor inner = Product(gradient, Matrix(weights));  // d loss / d (active * up)
    return std::vector{ActivateBackward(inner * up_in, gate_in, activation), inner * active};
  });
}

at::Tensor Embed(const at::Tensor& ids, const Parameter& embedding, GradientSink* sink,
                 const EmbedOptions& options) {
  at::Tensor rows, scale;
  {
    at::NoGradGuard no_grad;
    rows = at::embedding(embedding.value, ids);
    if (options.scale != 1.0) {
      scale = at::scalar_tensor(options.scale, rows.options());
      rows.mul_(scale);
    }
  }
  if (!sink) return rows;
  if (!Wants(sink, embedding)) return rows.requires_grad_(true);  // weights above need the tape
  const at::Tensor start = at::zeros({}, rows.options()).requires_grad_(true);
  const std::optional<int64_t> fixed = options.fixed;
  return RecordBackward("embed", {start}, rows, [=](const at::Tensor& gradient) {
    at::Tensor lookup = scale.defined() ? gradient * scale : gradient;
    if (fixed) lookup = lookup.masked_fill(ids.eq(*fixed).unsqueeze(1), 0);
    sink->AddRows(embedding.name, ids, lookup);
    return std::vector{at::Tensor()};
  });
}

}  // namespace grin
