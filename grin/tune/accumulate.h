#pragma once
// What a step adds of a loss term: forward pass, objective, backward pass.

#include <cstdint>
#include <span>
#include <vector>

#include "grin/model/decoder.h"
#include "grin/tune/loss_term.h"
#include "grin/tune/token_scorer.h"

namespace grin {

// Who weighs the tokens of terms with learned weights.
struct TokenWeighing {
  TokenScorer* scorer = nullptr;  // null: all the same
  bool learns = false;            // its gradient is added, too
};

// Adds the gradients of scale * mean loss over the units `drawn` (sequences, or pairs) to `sink`,
// which may be null, and returns the mean loss, without its scale. A loss that is not finite is
// returned at once. Passes hold at most `pass_tokens` tokens, or one unit; `tokens` grows by those
// that were run.
double Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens,
                  TokenWeighing weighing = {});

// The losses of each term over all of its sequences, without training.
std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens);

}  // namespace grin
