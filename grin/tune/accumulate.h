#pragma once
// What a step adds of a loss term: forward pass, objective, backward pass.

#include <cstdint>
#include <span>
#include <vector>

#include "grin/model/decoder.h"
#include "grin/tune/loss_term.h"

namespace grin {

// Adds the gradients of scale * mean loss over the sequences `drawn` to `sink`, which may be null,
// and returns the mean loss, without its scale. A loss that is not finite is returned at once.
// Passes hold at most `pass_tokens` tokens; `tokens` grows by those that were run.
double Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens);

// The losses of each term over all of its sequences, without training.
std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens);

}  // namespace grin
