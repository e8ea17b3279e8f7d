#include "grin/engine/gradient_norm.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>

#include "grin/data/packing.h"
#include "grin/model/product.h"

namespace grin {
namespace {

// Embedding and head get their gradient in parts, which are added up first. Every other weight gets
// it in one piece, of which only the norm is kept.
class NormSink : public GradientSink {
 public:
  explicit NormSink(const Model& model)
      : in_parts_{{model.embedding.name, {}}, {model.head.weight.name, {}}},
        weights_(*model.weights) {
    if (model.head.bias.defined()) in_parts_[model.head.bias.name];
  }

  bool Wants(const std::string&) const override { return true; }

  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    if (in_parts_.contains(name)) return AddOuterProduct(Sum(name), grad_output, input);
    Add(name, OuterProduct(grad_output, input));
  }

  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    Sum(name).index_add_(0, tokens, rows.to(at::kFloat));
  }

  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    Add(name, gradient);
  }

  double Mean() {
    for (const auto& [name, sum] : in_parts_) {
      if (sum.defined()) norms_[name] = sum.norm();
    }
    if (norms_.empty()) return 0;
    std::vector<at::Tensor> norms;
    for (const auto& [name, norm] : norms_) norms.push_back(norm);
    return at::stack(norms).to(at::kDouble).mean().item<double>();
  }

 private:
  at::Tensor& Sum(const std::string& name) {
    at::Tensor& sum = in_parts_[name];
    if (!sum.defined()) sum = at::zeros_like(weights_.tensors().at(name), at::kFloat);
    return sum;
  }

  void Add(const std::string& name, const at::Tensor& gradient) {
    if (in_parts_.contains(name)) {
      Sum(name).add_(gradient);
    } else {
      norms_[name] = gradient.to(at::kFloat).norm();
    }
  }

  std::map<std::string, at::Tensor> in_parts_;
  std::map<std::string, at::Tensor> norms_;  // fp32 [], left on the device until all are there
  const Weights& weights_;
};

}  // namespace

double GradientNorm(const Model& model, const Sequence& sequence) {
  if (sequence.labels.empty()) return 0;
  NormSink sink(model);
  const Sequence* const one[] = {&sequence};
  const LabelScores scores = ScoreBatch(model, Pack(one, model.weights->device()), &sink);
  const at::Tensor slope = at::full_like(scores.logp.detach(), -1.0 / scores.logp.size(0));
  torch::autograd::backward({scores.logp}, {slope});
  return sink.Mean();
}

}  // namespace grin
