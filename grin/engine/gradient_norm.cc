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
    at::Tensor gradient =
        at::zeros({grad_output.size(1), input.size(1)}, input.options().dtype(at::kFloat));
    AddOuterProduct(gradient, grad_output, input);
    Add(name, gradient);
  }

  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    Sum(name).index_add_(0, tokens, rows.to(at::kFloat));
  }

  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    Add(name, gradient);
  }

  double Mean() {
    for (const auto& [name, sum] : in_parts_) {
      if (sum.defined()) norms_[name] = sum.norm().item<double>();
    }
    double total = 0;
    for (const auto& [name, norm] : norms_) total += norm;
    return norms_.empty() ? 0.0 : total / static_cast<double>(norms_.size());
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
      norms_[name] = gradient.to(at::kFloat).norm().item<double>();
    }
  }

  std::map<std::string, at::Tensor> in_parts_;
  std::map<std::string, double> norms_;
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
