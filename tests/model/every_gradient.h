#pragma once
// A gradient sink for tests.

#include <map>
#include <string>

#include "grin/model/gradient_sink.h"
#include "grin/model/weights.h"

namespace grin {

// Keeps every weight's dense gradient.
class EveryGradient : public GradientSink {
 public:
  explicit EveryGradient(const Weights& weights) {
    for (const auto& [name, tensor] : weights.tensors()) {
      gradients[name] = at::zeros_like(tensor, at::kFloat);
    }
  }
  bool Wants(const std::string& name) const override { return gradients.contains(name); }
  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    gradients.at(name).addmm_(grad_output.to(at::kFloat).t(), input.to(at::kFloat));
  }
  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    gradients.at(name).index_add_(0, tokens, rows.to(at::kFloat));
  }
  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    gradients.at(name).add_(gradient);
  }

  std::map<std::string, at::Tensor> gradients;
};

}  // namespace grin
