#pragma once
// What the gradient pass of locate accumulates, for the selected entries alone: no dense gradient is
// kept.

#include <span>
#include <string>

#include "grin/data/sequence.h"
#include "grin/locate/score.h"
#include "grin/tune/trainable.h"

namespace grin {

// The statistic (see grin/locate/gradient_pass.h) of every selected entry, fp32 [n] in the order of the
// arena, whose gradient is used for it. Passes hold at most `pass_tokens` tokens.
at::Tensor SelectedStatistic(const Model& model, Trainable& trainable,
                             std::span<const Sequence* const> sequences, Statistic statistic,
                             int64_t pass_tokens, const std::string& progress);

}  // namespace grin
