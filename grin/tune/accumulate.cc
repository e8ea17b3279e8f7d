#include "grin/tune/accumulate.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numeric>

#include "grin/base/error.h"
#include "grin/data/packing.h"
#include "grin/engine/likelihood.h"

namespace grin {
namespace {

TokenValues ValuesOf(const PackedBatch& batch, const at::Tensor& logp, const LossTerm& term,
                     std::span<const int64_t> indices) {
  TokenValues values{.logp = logp.detach(), .weight = batch.label_weights,
                     .offsets = batch.label_offsets};
  if (!term.reference.empty()) {
    std::vector<float> joined;
    for (const int64_t i : indices) {
      joined.insert(joined.end(), term.reference[i].begin(), term.reference[i].end());
    }
    values.reference = at::tensor(joined);
  }
  return values;
}

}  // namespace

void ComputeReference(const Model& model, LossTerm& term, int64_t pass_tokens) {
  if (!term.objective->needs_reference || !term.reference.empty()) return;
  LikelihoodOptions options{.pass_tokens = pass_tokens};
  options.progress = fmt::format("tune: {} reference", term.name);
  for (SequenceScores& scores : ScoreSequences(model, *term.sequences, options)) {
    term.reference.push_back(std::move(scores.logp));
  }
}

ReferenceTensors StoreReference(const LossTerm& term) {
  if (term.reference.empty()) return {};
  std::vector<float> joined;
  for (const auto& logp : term.reference) joined.insert(joined.end(), logp.begin(), logp.end());
  return {{"logp", at::tensor(joined)}};
}

void LoadReference(LossTerm& term, const ReferenceTensors& stored) {
  term.reference.clear();
  const auto found = stored.find("logp");
  if (found == stored.end()) {
    if (!term.objective->needs_reference) return;
    BadInput("tune", "no reference values are stored for the {} set, which {} needs", term.name,
             term.objective->name);
  }
  int64_t labels = 0;
  for (const Sequence& sequence : *term.sequences) {
    labels += static_cast<int64_t>(sequence.labels.size());
  }
  const at::Tensor logp = found->second.to(at::kFloat).contiguous();
  if (logp.numel() != labels) {
    BadInput("tune", "{} reference values are stored for the {} set, which has {} labels",
             logp.numel(), term.name, labels);
  }
  const float* next = logp.const_data_ptr<float>();
  for (const Sequence& sequence : *term.sequences) {
    term.reference.emplace_back(next, next + sequence.labels.size());
    next += sequence.labels.size();
  }
}

double Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens) {
  const auto all = Pointers(*term.sequences);
  const auto sequences = Select(all, drawn);
  const double share = 1.0 / static_cast<double>(drawn.size());
  double loss = 0;
  for (const auto& pass : PlanPasses(sequences, pass_tokens)) {
    const PackedBatch batch = Pack(Select(sequences, pass), model.weights->device());
    const LabelScores scores = ScoreBatch(model, batch, sink);
    std::vector<int64_t> indices;
    for (const int64_t i : pass) indices.push_back(drawn[i]);
    const LossAndGradient result = term.objective->function(
        ValuesOf(batch, scores.logp.cpu(), term, indices), term.settings, share);
    loss += result.loss;
    tokens += batch.tokens.size(0);
    if (!std::isfinite(result.loss)) return result.loss;
    if (sink) {
      torch::autograd::backward({scores.logp},
                                {result.gradient.mul(term.scale).to(scores.logp.device())});
    }
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
