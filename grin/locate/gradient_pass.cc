#include "grin/locate/gradient_pass.h"

#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/model/device.h"
#include "grin/model/product.h"

namespace grin {
namespace {

// Adds up a statistic of each pass's gradient. Most weights meet one call per pass, which brings the
// whole gradient of the pass. The head's comes in chunks of rows, and a tied one's from the embedding
// too: these are summed up before the statistic is taken.
class StatisticSink : public GradientSink {
 public:
  StatisticSink(const Model& model, const std::vector<std::string>& names, Statistic statistic)
      : in_parts_{model.embedding.name, model.head.weight.name, model.head.bias.name},
        statistic_(statistic) {
    for (const std::string& name : names) {
      sums_[name] = at::zeros_like(model.weights->tensors().at(name), at::kFloat,
                                   at::MemoryFormat::Contiguous);
    }
  }

  bool Wants(const std::string& name) const override { return sums_.contains(name); }

  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    Collect(name, [&](at::Tensor& sum) { AddOuterProduct(sum, grad_output, input); });
  }

  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    Collect(name, [&](at::Tensor& sum) { sum.index_add_(0, tokens, rows.to(at::kFloat)); });
  }

  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    Collect(name, [&](at::Tensor& sum) { sum.add_(gradient); });
  }

  // To be called after each pass.
  void EndPass() {
    for (const auto& [name, gradient] : parts_) AddStatistic(sums_.at(name), gradient);
    parts_.clear();
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
  // Lets `add` bring a gradient to where it belongs.
  template <typename AddTo>
  void Collect(const std::string& name, AddTo add) {
    at::Tensor& sum = sums_.at(name);
    if (statistic_ == Statistic::kMean) return add(sum);  // a mean of parts is their sum
    if (in_parts_.contains(name)) {
      at::Tensor& part = parts_[name];
      if (!part.defined()) part = at::zeros_like(sum);
      return add(part);
    }
    at::Tensor gradient = at::zeros_like(sum);
    add(gradient);
    AddStatistic(sum, gradient);
  }

  void AddStatistic(at::Tensor& sum, const at::Tensor& gradient) const {
    sum.add_(statistic_ == Statistic::kRms ? gradient.square() : gradient.abs());
  }

  std::set<std::string> in_parts_;
  Statistic statistic_;
  std::map<std::string, at::Tensor> sums_, parts_;
};

}  // namespace

std::vector<ScoreTensor> AccumulateGradients(const Model& model,
                                             std::span<const Sequence* const> sequences,
                                             const std::vector<std::string>& names,
                                             const GradientPassOptions& options) {
  StatisticSink sink(model, names, options.statistic);
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
    for (int64_t s = 0; s < batch.segments.sequences(); ++s) {
      const int64_t labels = batch.label_offsets[s + 1] - batch.label_offsets[s];
      slope.insert(slope.end(), labels, static_cast<float>(-share / static_cast<double>(labels)));
    }
    torch::autograd::backward({scores.logp}, {Upload(at::tensor(slope), scores.logp.device())});
    sink.EndPass();
    if (progress) progress->Add(static_cast<int64_t>(pass.size()));
  }
  return sink.Finish(names, static_cast<int64_t>(sequences.size()));
}

}  // namespace grin
