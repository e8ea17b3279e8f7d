#include "grin/tune/accumulate.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>

#include "grin/base/error.h"
#include "grin/data/packing.h"
#include "grin/model/cpu/softmax.h"
#include "grin/model/device.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"
#include "grin/tune/counting.h"

namespace grin {
namespace {

double SumOfWeights(const Sequence& sequence) {
  return std::accumulate(sequence.label_weights.begin(), sequence.label_weights.end(), 0.0);
}

// One pass of a term: some of the units that were drawn, in one batch.
struct TermPass {
  const Model& model;
  const LossTerm& term;
  const PackedBatch& batch;
  std::vector<int64_t> numbers;            // of the term's sequences, as they lie in the batch
  std::vector<const Sequence*> sequences;  // those
  std::vector<double> shares;              // of each unit in the mean
  GradientSink* sink;                      // null: only the loss is wanted
  TokenWeighing weighing;

  bool weighs() const { return term.learned_tokens && weighing.scorer; }

  at::Tensor Reference() const {  // undefined where there is none
    if (!term.reference.defined()) return {};
    std::vector<int64_t> labels;
    for (const Sequence* s : sequences) labels.push_back(static_cast<int64_t>(s->labels.size()));
    return Upload(term.reference.Of(numbers, labels), batch.tokens.device());
  }
};

// The tokens that a scorer weighs: those of the answers to be forgotten that have a weight at all.
class LearnedTokens {
 public:
  // `rows` [N, d] predict the labels of the pass.
  LearnedTokens(const TermPass& pass, const at::Tensor& rows) : pass_(pass) {
    std::vector<int64_t> labels;
    for (size_t s = 0; s < pass.sequences.size(); s += pass.term.unit()) {
      const std::vector<float>& weights = pass.sequences[s]->label_weights;
      for (size_t n = 0; n < weights.size(); ++n) {
        if (weights[n] > 0) labels.push_back(pass.batch.label_offsets[s] + static_cast<int64_t>(n));
      }
      offsets_.push_back(static_cast<int64_t>(labels.size()));
    }
    labels_ = UploadIndices(labels, rows.device());
    rows_ = rows.detach().index_select(0, labels_);
  }

  // Weights of all labels of the pass, fp32 [N].
  at::Tensor Weights() const {
    return pass_.batch.label_weights.index_copy(0, labels_,
                                                pass_.weighing.scorer->Weights(rows_, offsets_));
  }

  // For log-probabilities of all labels of the pass, [N].
  void Learn(const at::Tensor& logp) const {
    if (!pass_.weighing.learns) return;
    pass_.weighing.scorer->AddGradient(rows_, offsets_, logp.detach().index_select(0, labels_),
                                       pass_.shares);
  }

 private:
  const TermPass& pass_;
  std::vector<int64_t> offsets_ = {0};
  at::Tensor labels_;  // int64 [l]: which of the pass
  at::Tensor rows_;    // [l, d]
};

at::Tensor AddPass(const TermPass& pass, const OnLogp& objective) {
  const at::AutoGradMode grad_mode(pass.sink != nullptr);
  const at::Tensor rows = HeadRows(pass.model, pass.batch, pass.sink);  // [R, d]
  const LabelScores scores = ScoreLabels(rows, pass.batch.labels, pass.model.head, pass.sink);
  at::Tensor weight = pass.batch.label_weights;
  if (pass.weighs()) {
    const LearnedTokens learned(pass, rows.detach().index_select(0, pass.batch.labels.row_of));
    weight = learned.Weights();
    learned.Learn(scores.logp);
  }
  const TokenValues values{.logp = scores.logp.detach(),
                           .reference = pass.Reference(),
                           .weight = weight,
                           .offsets = pass.batch.label_offsets,
                           .shares = pass.shares};
  const LossAndGradient result = objective.loss(values, pass.term.settings);
  if (pass.sink) {
    torch::autograd::backward({scores.logp}, {result.gradient.mul(pass.term.scale)});
  }
  return result.loss;
}

// The labels of a pass that have a weight. What has none may be infinite, and is not computed.
struct WeightedLabels {
  explicit WeightedLabels(const TermPass& pass) {
    std::vector<int64_t> chosen;
    std::vector<double> shares;
    int64_t label = 0;
    for (size_t s = 0; s < pass.sequences.size(); ++s) {
      const std::vector<float>& weights = pass.sequences[s]->label_weights;
      const double total = SumOfWeights(*pass.sequences[s]);  // T_i
      for (const float weight : weights) {
        if (weight > 0) {
          chosen.push_back(label);
          shares.push_back(pass.shares[s] * weight / total);
        }
        ++label;
      }
    }
    const at::Device device = pass.batch.tokens.device();
    numbers = UploadIndices(chosen, device);
    share = Upload(at::tensor(shares, at::kDouble), device);
  }

  at::Tensor numbers;  // int64 [l]: which labels of the batch
  at::Tensor share;    // double [l]: of each label's loss in the mean
};

// The loss of rows begin .. begin + c of the weighted labels, double []; rows.values become the
// derivative of scale * loss.
at::Tensor WeightedLoss(const TermPass& pass, const WeightedLabels& labels, RowLoss loss,
                        int64_t begin, RowValues& rows) {
  const at::Tensor share = labels.share.narrow(0, begin, rows.values.size(0));
  const at::Tensor of_rows = loss(rows, pass.term.settings);
  rows.values.mul_(share.mul(pass.term.scale).to(at::kFloat).unsqueeze(1));
  return of_rows.to(at::kDouble).mul_(share).sum();
}

// log p of each row's token, fp32 [c], of logits [c, V].
at::Tensor LogpOfTokens(const at::Tensor& logits, const at::Tensor& tokens) {
  RunningSoftmax softmax({});
  softmax.Add(logits, 0);
  return (logits.gather(1, tokens.unsqueeze(1)).squeeze(1) - softmax.LogNormaliser())
      .to(at::kFloat);
}

at::Tensor AddPass(const TermPass& pass, const OnLogits& objective) {
  const at::AutoGradMode grad_mode(pass.sink != nullptr);
  const at::Tensor all = HeadRowsAtLabels(pass.model, pass.batch, pass.sink);  // [N, d]
  WeightedLabels labels(pass);
  std::optional<LearnedTokens> learned;
  at::Tensor logp;      // fp32 [N], where the scorer learns
  if (pass.weighs()) {  // what has a weight has 1, and now 1 on average
    learned.emplace(pass, all);
    labels.share.mul_(learned->Weights().index_select(0, labels.numbers).to(at::kDouble));
    if (pass.weighing.learns) logp = at::zeros_like(pass.batch.label_weights);
  }
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
    if (logp.defined()) {
      logp.index_copy_(0, labels.numbers.narrow(0, begin, count), LogpOfTokens(chunk, rows.tokens));
    }
    if (untouched.defined()) rows.reference = untouched_logits(untouched.narrow(0, begin, count));
    sum.add_(WeightedLoss(pass, labels, objective.loss, begin, rows));
  };
  if (!pass.sink) {
    VisitLogits(hidden, logits, visit);
    return sum;
  }
  const at::Tensor gradient = VisitLogitsAndBack(hidden.detach(), logits, pass.sink, visit);
  if (logp.defined()) learned->Learn(logp);
  torch::autograd::backward({hidden}, {gradient});
  return sum;
}

at::Tensor AddPass(const TermPass& pass, const OnHidden& objective) {
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
  const at::Tensor sum = WeightedLoss(pass, labels, objective.loss, 0, rows);
  if (pass.sink) {
    torch::autograd::backward({hidden}, {rows.values.to(hidden.scalar_type())});
  }
  return sum;
}

}  // namespace

at::Tensor Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens,
                  TokenWeighing weighing, StepPart part) {
  const StepUnits step = UnitsOfStep(term, drawn, model.config.hidden);
  std::vector<int64_t> lengths;
  for (const auto& unit : step.sequences) {
    int64_t length = 0;
    for (const Sequence* sequence : unit) length += sequence->length();
    lengths.push_back(length);
  }
  at::Tensor loss =
      at::zeros({}, at::TensorOptions(at::kDouble).device(model.weights->device()));
  const std::vector<int64_t> own = DealOut(lengths, part.parts)[part.number];
  std::vector<int64_t> own_lengths;
  for (const int64_t i : own) own_lengths.push_back(lengths[i]);
  for (const auto& members : PlanPasses(own_lengths, pass_tokens)) {
    std::vector<int64_t> numbers;
    std::vector<const Sequence*> sequences;
    std::vector<double> shares;
    for (const int64_t member : members) {
      const int64_t i = own[member];
      shares.push_back(step.shares[i]);
      for (const Sequence* sequence : step.sequences[i]) {
        numbers.push_back(drawn[i] * term.unit() +
                          static_cast<int64_t>(sequences.size()) % term.unit());
        sequences.push_back(sequence);
        if (!(SumOfWeights(*sequence) > 0)) {
          Defect("tune", "sequence {} has no weighted token", numbers.back());
        }
      }
    }
    const PackedBatch batch = Pack(sequences, model.weights->device());
    const TermPass pass{model, term, batch, numbers, sequences, shares, sink, weighing};
    loss.add_(
        std::visit([&](const auto& kind) { return AddPass(pass, kind); }, term.objective->kind));
    tokens += batch.tokens.size(0);
  }
  return loss;
}

namespace {

// A sum of parts as a balanced tree, which holds few of them at one time: two neighbours that are sums
// of equally many are added at once.
class PartsAdded {
 public:
  explicit PartsAdded(std::vector<at::Tensor> sums) : sums_(std::move(sums)) {}

  // `sums` hold one more part. They are 0 afterwards, unless it was the last.
  void Add(bool last) {
    int64_t parts = 1;
    for (; !before_.empty() && before_.back().parts == parts; parts *= 2) {
      for (size_t i = 0; i < sums_.size(); ++i) sums_[i].add_(before_.back().sums[i]);
      before_.pop_back();
    }
    if (last) return;
    before_.push_back({parts, {}});
    for (at::Tensor& sum : sums_) {
      before_.back().sums.push_back(sum.clone());
      sum.zero_();
    }
  }

 private:
  struct Before {
    int64_t parts;
    std::vector<at::Tensor> sums;
  };
  std::vector<at::Tensor> sums_;
  std::vector<Before> before_;
};

// double [n], n a power of two where it is more than the number of processes: by the same tree.
double TreeSum(std::span<const double> values) {
  if (values.size() == 1) return values[0];
  size_t left = 1;
  while (2 * left < values.size()) left *= 2;
  return TreeSum(values.first(left)) + TreeSum(values.subspan(left));
}

}  // namespace

std::vector<at::Tensor> SumOverParts(
    const Model& model, std::vector<at::Tensor> sums, int64_t& tokens,
    const std::function<std::vector<at::Tensor>(StepPart part, int64_t& tokens)>& add) {
  const Ranks& ranks = *model.ranks;
  for (at::Tensor& sum : sums) sum.zero_();
  if (ranks.parts() == 1) return add({}, tokens);
  PartsAdded added(sums);
  const auto [begin, end] = ranks.own_parts();
  int64_t own_tokens = 0;
  std::vector<at::Tensor> losses;  // of each part, part by part
  for (int64_t part = begin; part < end; ++part) {
    for (at::Tensor& loss : add({part, ranks.parts()}, own_tokens)) losses.push_back(std::move(loss));
    added.Add(part + 1 == end);
  }
  for (at::Tensor& sum : sums) ranks.Sum(sum);
  // The losses, then the tokens, which a double holds exactly.
  std::vector<double> read = losses.empty() ? std::vector<double>{} : ReadTogether(losses);
  const size_t count = losses.size() / static_cast<size_t>(end - begin);  // of one part
  read.push_back(static_cast<double>(own_tokens));
  const at::Tensor rows = ranks.GatherRows(at::tensor(read, at::kDouble)).contiguous();
  const double* row = rows.const_data_ptr<double>();
  std::vector<double> all;
  for (int64_t rank = 0; rank < ranks.world(); ++rank, row += read.size()) {
    all.insert(all.end(), row, row + losses.size());
    tokens += static_cast<int64_t>(row[losses.size()]);
  }
  std::vector<at::Tensor> totals;
  for (size_t i = 0; i < count; ++i) {
    std::vector<double> of_parts;
    for (size_t part = i; part < all.size(); part += count) of_parts.push_back(all[part]);
    totals.push_back(Upload(at::scalar_tensor(TreeSum(of_parts), at::kDouble),
                            model.weights->device()));
  }
  return totals;
}

std::vector<double> ReadTogether(const std::vector<at::Tensor>& numbers) {
  const at::Tensor host = at::stack(numbers).cpu();
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens) {
  std::vector<at::Tensor> losses;
  for (LossTerm& term : terms) {
    ComputeReference(model, term, pass_tokens);
    std::vector<int64_t> all(term.units());
    std::iota(all.begin(), all.end(), int64_t{0});
    int64_t tokens = 0;
    losses.push_back(Accumulate(model, term, all, pass_tokens, nullptr, tokens));
  }
  return ReadTogether(losses);
}

}  // namespace grin
