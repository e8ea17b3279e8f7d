#pragma once
// What tests of objectives share: the numbers of goldens, and objectives by name.

#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/model/decoder.h"
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
  return (got.cpu().to(at::kDouble) - expected.cpu()).abs().max().item<double>();
}

inline bool IsRetain(std::string_view name) {
  return name == "kl" || name == "js" || name == "activations" || name == "nll";
}

// Of either table.
inline const Objective& FindObjective(std::string_view name) {
  return IsRetain(name) ? FindRetainObjective(name) : FindForgetObjective(name);
}

// Moves a model away from its reference as the golden script does: weights by name, times a factor.
inline void ScaleWeights(const Model& model, const Json& factors) {
  for (const auto& [name, factor] : factors.items()) {
    model.weights->MakeWritable(name);
    at::Tensor weight = model.weights->tensors().at(name);
    weight.mul_(factor.get<double>());
  }
}

}  // namespace grin
