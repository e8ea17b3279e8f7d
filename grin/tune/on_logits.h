#pragma once
// What objectives on rows of logits share.

#include <ATen/ATen.h>

namespace grin {

// Logits [c, V] become log-probabilities, in place.
const at::Tensor& ToLogProbabilities(at::Tensor& logits);

// Cross-entropy of `target`, probabilities [c, V], under the log-probabilities `logp` [c, V]. Returns
// fp32 [c].
at::Tensor CrossEntropyOfRows(const at::Tensor& logp, const at::Tensor& target);

// Distributions lose the part `lost` [c, 1] of the probability of one token each, `tokens` [c], and
// grow to 1 again: that leaves `left` [c, V], which becomes what they were minus what they are now,
// lost (onehot(token) - left). Between the two themselves that would be a difference of nearly equal
// numbers, where a token was unlikely before.
void ToDifference(at::Tensor& left, const at::Tensor& tokens, const at::Tensor& lost);

}  // namespace grin
