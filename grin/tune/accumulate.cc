#include "grin/tune/accumulate.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numeric>

#include "grin/base/error.h"
#include "grin/data/packing.h"

namespace grin {
namespace {

// One pass of a term: some of the sequences that were drawn, in one batch.
struct TermPass {
  const Model& model;
  const LossTerm& term;
  const PackedBatch& batch;
  std::span<const int64_t> sequences;  // of the term, as they lie in the batch
  double share;                        // of each sequence in the mean
  GradientSink* sink;                  // null: only the loss is wanted

  at::Tensor Reference() const {  // undefined where there is none
    return term.reference.defined() ? term.reference.Of(sequences).to(batch.tokens.device())
                                    : at::Tensor();
  }
};

double AddPass(const TermPass& pass, const OnLogp& objective) {
  const LabelScores scores = ScoreBatch(pass.model, pass.batch, pass.sink);
  const TokenValues values{.logp = scores.logp.detach().cpu(),
                           .reference = pass.Reference(),
                           .weight = pass.batch.label_weights,
                           .offsets = pass.batch.label_offsets};
  const LossAndGradient result = objective.loss(values, pass.term.settings, pass.share);
  if (pass.sink && std::isfinite(result.loss)) {
    torch::autograd::backward({scores.logp},
                              {result.gradient.mul(pass.term.scale).to(scores.logp.device())});
  }
  return result.loss;
}

// The labels of a pass that have a weight. What has none may be infinite, and is not computed.
struct WeightedLabels {
  explicit WeightedLabels(const TermPass& pass) {
    std::vector<int64_t> chosen;
    std::vector<double> shares;
    int64_t label = 0;
    for (const int64_t s : pass.sequences) {
      const std::vector<float>& weights = (*pass.term.sequences)[s].label_weights;
      const double total = std::accumulate(weights.begin(), weights.end(), 0.0);  // T_i
      if (!(total > 0)) Defect("tune", "sequence {} has no weighted token", s);
      for (const float weight : weights) {
        if (weight > 0) {
          chosen.push_back(label);
          shares.push_back(pass.share * weight / total);
        }
        ++label;
      }
    }
    const at::Device device = pass.batch.tokens.device();
    numbers = at::tensor(chosen, at::kLong).to(device);
    share = at::tensor(shares, at::kDouble).to(device);
  }

  at::Tensor numbers;  // int64 [l]: which labels of the batch
  at::Tensor share;    // double [l]: of each label's loss in the mean
};

// The loss of rows begin .. begin + c of the weighted labels, double []; rows.values become the
// derivative of scale * loss.
at::Tensor WeightedLoss(const TermPass& pass, const WeightedLabels& labels, RowLoss loss, int64_t begin,
                    RowValues& rows) {
  const at::Tensor share = labels.share.narrow(0, begin, rows.values.size(0));
  const at::Tensor of_rows = loss(rows, pass.term.settings);
  rows.values.mul_(share.mul(pass.term.scale).to(at::kFloat).unsqueeze(1));
  return of_rows.to(at::kDouble).mul_(share).sum();
}

double AddPass(const TermPass& pass, const OnLogits& objective) {
  const at::AutoGradMode grad_mode(pass.sink != nullptr);
  const at::Tensor all = HeadRowsAtLabels(pass.model, pass.batch, pass.sink);  // [N, d]
  const WeightedLabels labels(pass);
  const at::Tensor hidden = all.index_select(0, labels.numbers);  // [l, d]
  const at::Tensor tokens = pass.batch.labels.tokens.index_select(0, labels.numbers);
  const ReferenceValues& reference = pass.term.reference;
  const at::Tensor untouched =
      reference.defined() ? pass.Reference().index_select(0, labels.numbers) : at::Tensor();
  LogitsBuffer logits(pass.model.head);
  LogitsBuffer untouched_logits(reference.head.weight.defined() ? reference.head
                                                                : pass.model.head);
  at::Tensor sum = at::zeros({}, labels.share.options());
  const auto visit = [&](int64_t begin, at::Tensor& chunk) {
    const int64_t count = chunk.size(0);
    RowValues rows{.values = chunk, .tokens = tokens.narrow(0, begin, count)};
    if (untouched.defined()) rows.reference = untouched_logits(untouched.narrow(0, begin, count));
    sum.add_(WeightedLoss(pass, labels, objective.loss, begin, rows));
  };
  if (!pass.sink) {
    VisitLogits(hidden, logits, visit);
    return sum.item<double>();
  }
  const at::Tensor gradient = VisitLogitsAndBack(hidden.detach(), logits, pass.sink, visit);
  const auto loss = sum.item<double>();
  if (std::isfinite(loss)) torch::autograd::backward({hidden}, {gradient});
  return loss;
}

double AddPass(const TermPass& pass, const OnHidden& objective) {
  const at::AutoGradMode grad_mode(pass.sink != nullptr);
  const int64_t layer = HiddenLayer(pass.term.settings, pass.model.config);
  const at::Tensor all = HiddenAtLabels(pass.model, pass.batch, layer, pass.sink);  // [N, d]
  const WeightedLabels labels(pass);
  const at::Tensor hidden = all.index_select(0, labels.numbers);  // [l, d]
  RowValues rows{.values = hidden.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true),
                 .tokens = pass.batch.labels.tokens.index_select(0, labels.numbers)};
  if (pass.term.reference.defined()) {
    rows.reference = pass.Reference().index_select(0, labels.numbers).to(at::kFloat);
  }
  const auto sum = WeightedLoss(pass, labels, objective.loss, 0, rows).item<double>();
  if (pass.sink && std::isfinite(sum)) {
    torch::autograd::backward({hidden}, {rows.values.to(hidden.scalar_type())});
  }
  return sum;
}

}  // namespace

double Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens) {
  const auto all = Pointers(*term.sequences);
  const auto sequences = Select(all, drawn);
  const double share = 1.0 / static_cast<double>(drawn.size());
  double loss = 0;
  for (const auto& members : PlanPasses(sequences, pass_tokens)) {
    const PackedBatch batch = Pack(Select(sequences, members), model.weights->device());
    std::vector<int64_t> numbers;
    for (const int64_t i : members) numbers.push_back(drawn[i]);
    const TermPass pass{model, term, batch, numbers, share, sink};
    const double added =
        std::visit([&](const auto& kind) { return AddPass(pass, kind); }, term.objective->kind);
    tokens += batch.tokens.size(0);
    if (!std::isfinite(added)) return added;
    loss += added;
  }
  return loss;
}

std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens) {
  std::vector<double> losses;
  for (LossTerm& term : terms) {
    ComputeReference(model, term, pass_tokens);
    std::vector<int64_t> all(term.sequences->size());
    std::iota(all.begin(), all.end(), int64_t{0});
    int64_t tokens = 0;
    losses.push_back(Accumulate(model, term, all, pass_tokens, nullptr, tokens));
  }
  return losses;
}

}  // namespace grin
