#pragma once
// What tests of objectives share: numbers of goldens, and a sink that keeps every gradient.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/model/decoder.h"
#include "grin/model/gradient_sink.h"
#include "grin/tune/objective.h"

namespace grin {

inline at::Tensor MatrixOf(const Json& rows) {
  std::vector<double> flat;
  for (const Json& row : rows) {
    for (const Json& value : row) flat.push_back(value);
  }
  const auto count = static_cast<int64_t>(rows.size());
  return at::tensor(flat, at::kDouble).view({count, -1});
}

inline at::Tensor VectorOf(const Json& list) {
  return at::tensor(list.get<std::vector<double>>(), at::kDouble);
}

inline double LargestError(const at::Tensor& got, const at::Tensor& expected) {
  return (got.cpu().to(at::kDouble) - expected).abs().max().item<double>();
}

inline bool IsRetain(std::string_view name) {
  return name == "kl" || name == "js" || name == "activations" || name == "nll";
}

// Of either table.
inline const Objective& FindObjective(std::string_view name) {
  return IsRetain(name) ? FindRetainObjective(name) : FindForgetObjective(name);
}

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
