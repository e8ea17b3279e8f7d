#include "grin/tune/low_rank_adapter.h"

#include <cmath>

#include "grin/base/error.h"
#include "grin/perturb/stream_values.h"
#include "grin/tune/accumulate.h"

namespace grin {
namespace {

// Takes gradients by the factors: of W + B A the gradient by B is G A^T and that by A is B^T G, so that
// G = rows^T cols itself is never made.
class FactorSink : public GradientSink {
 public:
  explicit FactorSink(std::map<std::string, LowRankAdapter::Factors>& factors)
      : factors_(factors) {}

  bool Wants(const std::string& name) const override { return factors_.contains(name); }

  void AddProduct(const std::string& name, const at::Tensor& rows,
                  const at::Tensor& columns) override {
    LowRankAdapter::Factors& f = factors_.at(name);
    const at::Tensor left = rows.to(at::kFloat), right = columns.to(at::kFloat);  // [T, R], [T, C]
    f.b_gradient.addmm_(left.t(), right.matmul(f.a.t()));
    f.a_gradient.addmm_(left.matmul(f.b).t(), right);
  }

  void AddRows(const std::string& name, const at::Tensor&, const at::Tensor&) override {
    Defect("tune", "an adapter of the embedding '{}'", name);
  }
  void AddVector(const std::string& name, const at::Tensor&) override {
    Defect("tune", "an adapter of the vector '{}'", name);
  }

 private:
  std::map<std::string, LowRankAdapter::Factors>& factors_;
};

}  // namespace

LowRankAdapter::LowRankAdapter(const Model& model, const std::vector<std::string>& names,
                               int64_t rank, uint64_t seed)
    : model_(model) {
  for (const std::string& name : names) {
    model.weights->MakeWritable(name);
    const at::Tensor& weight = model.weights->tensors().at(name);
    const int64_t rows = weight.size(0), columns = weight.size(1);
    const auto floats = at::TensorOptions(at::kFloat).device(weight.device());
    const double bound = 1 / std::sqrt(static_cast<double>(columns));
    const at::Tensor draw = StreamValues(
        RandomStream(seed, "adapter/" + name), {}, rank * columns,
        [&](const RandomStream& random, int64_t i) { return bound * (2 * random.Uniform(i) - 1); });
    factors_[name] = {.a = draw.view({rank, columns}).to(floats),
                      .b = at::zeros({rows, rank}, floats),
                      .a_gradient = at::zeros({rank, columns}, floats),
                      .b_gradient = at::zeros({rows, rank}, floats)};
  }
}

at::Tensor LowRankAdapter::Stored(const std::string& name) const {
  const Checkpoint& checkpoint = model_.weights->checkpoint();
  return StoredTensor(checkpoint, *checkpoint.Find(name))
      .to(model_.weights->device(), at::kFloat);
}

void LowRankAdapter::PutOn() {
  for (const auto& [name, f] : factors_) {
    at::Tensor weight = model_.weights->tensors().at(name);
    weight.copy_(Stored(name) + f.b.matmul(f.a));
  }
}

void LowRankAdapter::TakeOff() {
  for (const auto& [name, f] : factors_) {
    at::Tensor weight = model_.weights->tensors().at(name);
    weight.copy_(Stored(name));
  }
}

at::Tensor LowRankAdapter::Step(const LossTerm& term, std::span<const int64_t> drawn, double lr,
                            int64_t pass_tokens, int64_t& tokens) {
  for (auto& [name, f] : factors_) {
    f.a_gradient.zero_();
    f.b_gradient.zero_();
  }
  FactorSink sink(factors_);
  const at::Tensor loss = Accumulate(model_, term, drawn, pass_tokens, &sink, tokens);
  for (auto& [name, f] : factors_) {
    f.a.sub_(f.a_gradient, lr);
    f.b.sub_(f.b_gradient, lr);
  }
  PutOn();
  return loss;
}

}  // namespace grin
