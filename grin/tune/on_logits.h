#pragma once
// What objectives on rows of logits share.

#include <ATen/ATen.h>

namespace grin {

// Logits [c, V] become log-probabilities, in place.
const at::Tensor& ToLogProbabilities(at::Tensor& logits);

// Cross-entropy of `target`, probabilities [c, V], under the logits in `values` [c, V], which
// become its derivative, softmax - target. Returns fp32 [c].
at::Tensor CrossEntropyOfRows(at::Tensor& values, const at::Tensor& target);

}  // namespace grin
