#include "grin/model/layers.h"

#include "grin/base/error.h"
#include "grin/model/record.h"

namespace grin {
namespace {

bool Wants(const GradientSink* sink, const Parameter& parameter) {
  return sink && parameter.defined() && sink->Wants(parameter.name);
}

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu: return at::silu(x);
    case Activation::kGelu: return at::gelu(x);
    case Activation::kGeluTanh: return at::gelu(x, "tanh");
    case Activation::kRelu: return at::relu(x);
  }
  Defect("model", "unknown activation");
}

at::Tensor ActivateBackward(const at::Tensor& gradient, const at::Tensor& x,
                            Activation activation) {
  switch (activation) {
    case Activation::kSilu: return at::silu_backward(gradient, x);
    case Activation::kGelu: return at::gelu_backward(gradient, x);
    case Activation::kGeluTanh: return at::gelu_backward(gradient, x, "tanh");
    case Activation::kRelu: return at::threshold_backward(gradient, x, 0);
  }
  Defect("model", "unknown activation");
}

}  // namespace

at::Tensor Linear(const at::Tensor& x, const LinearWeights& weights, GradientSink* sink) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = weights.bias.defined() ? at::linear(x, weights.weight.value, weights.bias.value)
                                    : at::linear(x, weights.weight.value);
  }
  // The input is kept only where the weight's gradient is wanted.
  const at::Tensor input = Wants(sink, weights.weight) ? x.detach() : at::Tensor();
  return Record("linear", {x}, output, [weights, input, sink](const at::Tensor& gradient) {
    if (input.defined()) sink->AddProduct(weights.weight.name, gradient, input);
    if (Wants(sink, weights.bias)) sink->AddVector(weights.bias.name, gradient.sum(0, false, at::kFloat));
    return std::vector{at::mm(gradient, weights.weight.value)};
  });
}

at::Tensor RmsNorm(const at::Tensor& x, const Parameter& weight, double epsilon,
                   GradientSink* sink) {
  at::Tensor output, inverse_rms;  // [T, d], fp32 [T, 1]
  {
    at::NoGradGuard no_grad;
    const at::Tensor wide = x.to(at::kFloat);
    inverse_rms = wide.square().mean(-1, true).add_(epsilon).rsqrt_();
    output = (wide * inverse_rms).to(x.scalar_type()) * weight.value;
  }
  const at::Tensor input = x.detach();
  return Record("rms_norm", {x}, output, [=](const at::Tensor& gradient) {
    const at::Tensor normed = input.to(at::kFloat).mul_(inverse_rms);  // [T, d]
    const at::Tensor wide = gradient.to(at::kFloat);
    if (Wants(sink, weight)) sink->AddVector(weight.name, (wide * normed).sum(0));
    const at::Tensor scaled = wide * weight.value;  // d loss / d normed
    const at::Tensor along = (scaled * normed).mean(-1, true);
    return std::vector{
        scaled.sub(normed.mul(along)).mul_(inverse_rms).to(gradient.scalar_type())};
  });
}

at::Tensor Gated(const at::Tensor& gate, const at::Tensor& up, Activation activation) {
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = Activate(gate, activation).mul_(up);
  }
  const at::Tensor gate_in = gate.detach(), up_in = up.detach();
  return Record("gated", {gate, up}, output, [=](const at::Tensor& gradient) {
    return std::vector{ActivateBackward(gradient * up_in, gate_in, activation),
                       gradient * Activate(gate_in, activation)};
  });
}

at::Tensor Embed(const at::Tensor& tokens, const Parameter& embedding, GradientSink* sink) {
  at::Tensor rows;
  {
    at::NoGradGuard no_grad;
    rows = at::embedding(embedding.value, tokens);
  }
  if (!sink) return rows;
  if (!Wants(sink, embedding)) return rows.requires_grad_(true);  // weights above need the tape
  const at::Tensor start = at::zeros({}, rows.options()).requires_grad_(true);
  return Record("embed", {start}, rows, [embedding, tokens, sink](const at::Tensor& gradient) {
    sink->AddRows(embedding.name, tokens, gradient);
    return std::vector{at::Tensor()};
  });
}

}  // namespace grin
