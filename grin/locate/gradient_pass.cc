#include "grin/locate/gradient_pass.h"

#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <numeric>
#include <optional>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/model/product.h"

namespace grin {
namespace {

// Adds up a statistic of each pass's gradient. A matrix meets AddProduct once per pass, so that its
// product is the whole gradient of the pass; embeddings, which meet several calls, are only summed.
class StatisticSink : public GradientSink {
 public:
  StatisticSink(const Weights& weights, const std::vector<std::string>& names, Statistic statistic)
      : statistic_(statistic) {
    for (const std::string& name : names) {
      sums_[name] =
          at::zeros_like(weights.tensors().at(name), at::kFloat, at::MemoryFormat::Contiguous);
    }
  }

  bool Wants(const std::string& name) const override { return sums_.contains(name); }

  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    at::Tensor& sum = sums_.at(name);
    if (statistic_ == Statistic::kMean) return AddOuterProduct(sum, grad_output, input);
    at::Tensor gradient = at::zeros_like(sum);
    AddOuterProduct(gradient, grad_output, input);
    Add(sum, gradient);
  }

  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    at::Tensor& sum = sums_.at(name);
    if (statistic_ == Statistic::kMean) {
      sum.index_add_(0, tokens, rows.to(at::kFloat));
    } else {
      Add(sum, at::zeros_like(sum).index_add_(0, tokens, rows.to(at::kFloat)));
    }
  }

  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    Add(sums_.at(name), gradient);
  }

  std::vector<ScoreTensor> Finish(const std::vector<std::string>& names, int64_t sequences) {
    std::vector<ScoreTensor> scores;
    for (const std::string& name : names) {
      at::Tensor sum = sums_.at(name);
      if (statistic_ != Statistic::kMean) sum.div_(static_cast<double>(sequences));
      if (statistic_ == Statistic::kRms) sum.sqrt_();
      scores.push_back({name, sum});
    }
    return scores;
  }

 private:
  void Add(at::Tensor& sum, const at::Tensor& gradient) const {
    switch (statistic_) {
      case Statistic::kMean:
        sum.add_(gradient);
        break;
      case Statistic::kAbs:
        sum.add_(gradient.abs());
        break;
      case Statistic::kRms:
        sum.add_(gradient.to(at::kFloat).square());
        break;
    }
  }

  Statistic statistic_;
  std::map<std::string, at::Tensor> sums_;
};

}  // namespace

std::vector<ScoreTensor> AccumulateGradients(const Model& model,
                                             std::span<const Sequence* const> sequences,
                                             const std::vector<std::string>& names,
                                             const GradientPassOptions& options) {
  StatisticSink sink(*model.weights, names, options.statistic);
  const bool per_sequence = options.statistic != Statistic::kMean;
  const auto passes = PlanPasses(sequences, per_sequence ? 1 : options.pass_tokens);
  std::optional<Progress> progress;
  if (!options.progress.empty()) {
    progress.emplace(options.progress, static_cast<int64_t>(sequences.size()));
  }
  for (const auto& pass : passes) {
    ThrowIfInterrupted();
    const PackedBatch batch = Pack(Select(sequences, pass), model.weights->device());
    const LabelScores scores = ScoreBatch(model, batch, &sink);
    // d (mean NLL of a sequence) / d logp; the mean over sequences is taken here for the signed
    // statistic and at the end for the others.
    const double share = per_sequence ? 1.0 : 1.0 / static_cast<double>(sequences.size());
    std::vector<float> slope;
    for (int64_t s = 0; s < batch.sequences(); ++s) {
      const int64_t labels = batch.label_offsets[s + 1] - batch.label_offsets[s];
      slope.insert(slope.end(), labels, static_cast<float>(-share / static_cast<double>(labels)));
    }
    torch::autograd::backward({scores.logp}, {at::tensor(slope).to(scores.logp.device())});
    if (progress) progress->Add(static_cast<int64_t>(pass.size()));
  }
  return sink.Finish(names, static_cast<int64_t>(sequences.size()));
}

}  // namespace grin
