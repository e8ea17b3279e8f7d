#pragma once
// One term of the loss, and what it compares with: values of the untouched model that are computed
// once, before anything changes, so that there is never a second model in memory.

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/decoder.h"
#include "grin/tune/objective.h"

namespace grin {

// What the untouched model gives for every label of a term's sequences, end to end, N labels in all.
struct ReferenceValues {
  // By the objective's kind: log-probabilities, fp32 [N]; the rows that the head reads, [N, d] in the
  // type that is computed in, from which logits are computed again; or hidden states of the
  // objective's layer, [N, d] in that type. On the CPU. Undefined where nothing is compared with.
  at::Tensor values;
  std::vector<int64_t> offsets;  // S + 1: the labels of sequence s
  // For an objective on logits that is trained together with the head: the head before that. Not
  // stored, for the checkpoint has it: see UntouchedHead. Undefined: the model's own is untouched.
  Head head;

  bool defined() const { return values.defined(); }

  // The values of the first `labels[i]` labels of each of these sequences, in that order.
  at::Tensor Of(std::span<const int64_t> sequences, std::span<const int64_t> labels) const;
};

// The weight of a loss as the dual variable of the constraint that it stays below `limit`: after
// each step beyond the warm-up it grows by rate * (loss - limit), and is 0 at least.
struct DualWeight {
  double limit = 0, rate = 0;
  double warmup = 0;  // share of the steps
};

// One term of the loss: scale * mean over the drawn sequences, or pairs of them.
struct LossTerm {
  std::string name;  // "forget", "retain", "data"
  const Objective* objective = nullptr;
  ObjectiveSettings settings;
  double scale = 1.0;  // gamma or alpha
  std::optional<DualWeight> dual;  // how the scale changes, where it does
  // Of an objective on pairs: the answer to be forgotten, the one to be preferred, and so on.
  const std::vector<Sequence>* sequences = nullptr;
  // Which rows of those count; the sequences must have been made so (CountRows).
  Counting counting = {};
  int64_t batch = 0;            // the mean is that of batches of so many; 0: of the whole step
  bool learned_tokens = false;  // a TokenScorer weighs its tokens
  // Left undefined, it is taken from the weights as training starts.
  ReferenceValues reference;
  bool per_epoch = false;  // an epoch is one pass over this term's sequences
  bool guarded = false;    // its loss is watched for collapse
  // Losses below this are too small to be told apart by the guards: half a nat; for an objective that
  // compares hidden states half of the mean squared length of the reference's.
  double loss_floor = 0.5;

  // Sequences that are drawn together, and how many such units there are.
  int64_t unit() const { return objective->pairs() ? 2 : 1; }
  int64_t units() const { return static_cast<int64_t>(sequences->size()) / unit(); }
};

// Fills in the reference of a term from the present weights of `model`, where its objective needs
// one and it has none. Passes hold at most `pass_tokens` tokens.
void ComputeReference(const Model& model, LossTerm& term, int64_t pass_tokens);

// The reference's values as named tensors, to be stored, and from them again, bit for bit. Empty
// where there are none. Error (bad input) when they do not belong to the term's sequences or to its
// objective.
using ReferenceTensors = std::map<std::string, at::Tensor>;
ReferenceTensors StoreReference(const LossTerm& term);
void LoadReference(LossTerm& term, const ReferenceTensors& stored);

// The head as the checkpoint has it, whatever has become of the weights in memory. Takes memory only
// where weights are computed with in another type than the stored one.
Head UntouchedHead(const Model& model);

// The layer whose hidden states are seen: settings.layer, or where that is -1 the one just below the
// middle. Error (usage) for a layer that the model does not have.
int64_t HiddenLayer(const ObjectiveSettings& settings, const ModelConfig& config);

// Of a batch the hidden states, after that layer, of the rows that predict each label: [N, d].
at::Tensor HiddenAtLabels(const Model& model, const PackedBatch& batch, int64_t layer,
                          GradientSink* sink = nullptr);

// Of a batch the rows that the head reads to predict each label: [N, d].
at::Tensor HeadRowsAtLabels(const Model& model, const PackedBatch& batch,
                            GradientSink* sink = nullptr);

}  // namespace grin
