#pragma once
// What a step adds of a loss term: forward pass, objective, backward pass.

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
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

// Which of the parts of a sum (Ranks::parts) is meant; all of it.
struct StepPart {
  int64_t number = 0, parts = 1;
};

// Adds the gradients of scale * mean loss over the units `drawn` (sequences, or pairs) to `sink`,
// which may be null, and returns the mean loss, without its scale: double [], on the model's device,
// which the host has not waited for. Whether it is finite is for the caller to see. Passes hold at most
// `pass_tokens` tokens, or one unit; `tokens` grows by those that were run.
// With more than one part only the units are run that are dealt out to that part, by length, and the
// loss is their share in the mean.
at::Tensor Accumulate(const Model& model, const LossTerm& term, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens,
                  TokenWeighing weighing = {}, StepPart part = {});

// Does a step's work that is shared out among processes: `add` runs a part, adding its gradients to
// `sums`, and returns losses, double [] each; `tokens` grows by what it ran. In the end `sums`, fp32
// and contiguous, and the losses returned are those of all parts, the same bits in every process.
// What `sums` held before is lost.
std::vector<at::Tensor> SumOverParts(
    const Model& model, std::vector<at::Tensor> sums, int64_t& tokens,
    const std::function<std::vector<at::Tensor>(StepPart part, int64_t& tokens)>& add);

// Numbers of one device, double [] each, in the memory of the host, which waits for them once.
std::vector<double> ReadTogether(const std::vector<at::Tensor>& numbers);

// The losses of each term over all of its sequences, without training.
std::vector<double> InitialLosses(const Model& model, std::vector<LossTerm> terms,
                                  int64_t pass_tokens);

}  // namespace grin
