#pragma once
// One term of the loss, and what one step adds of it: forward pass, objective, backward pass.

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/decoder.h"
#include "grin/tune/objective.h"

namespace grin {

// One term of the loss: scale * mean over the drawn sequences.
struct LossTerm {
  std::string name;                       // "forget", "retain", "data"
  const Objective* objective = nullptr;
  ObjectiveSettings settings;
  double scale = 1.0;                     // gamma or alpha
  const std::vector<Sequence>* sequences = nullptr;
  // Log-probabilities of the untouched model per sequence, where the objective needs them. Left
  // empty, they are taken from the weights as training starts.
  std::vector<std::vector<float>> reference;
  bool per_epoch = false;  // an epoch is one pass over this term's sequences
  bool guarded = false;    // its loss is watched for collapse
};

// Fills the reference values of a term from the present weights of `model`, where it needs them and
// has none.
void ComputeReference(const Model& model, LossTerm& term, int64_t pass_tokens);

// The reference values as flat tensors, to be stored, and from them again. Empty where there are
// none. Error (bad input) when they do not belong to the term's sequences.
using ReferenceTensors = std::map<std::string, at::Tensor>;
ReferenceTensors StoreReference(const LossTerm& term);
void LoadReference(LossTerm& term, const ReferenceTensors& stored);

// Adds the gradients of scale * mean loss over the sequences `drawn` to `sink`, which may be null,
// and returns the mean loss, without its scale. A loss that is not finite is returned at once.
// Passes hold at most `pass_tokens` tokens; `tokens` grows by those that were run.
double Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens);

// The losses of each term over all of its sequences, without training.
std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens);

}  // namespace grin
