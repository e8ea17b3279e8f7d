#pragma once
// How steep a sequence's loss is in the weights: the statistic of the gradient-norm attack.

#include "grin/data/sequence.h"
#include "grin/model/decoder.h"

namespace grin {

// Mean over the model's weights (tensors) of the L2 norm of the gradient of the mean NLL of the
// sequence's labels (Wang et al. 2024, arXiv 2402.17012). 0 for a sequence without labels.
double GradientNorm(const Model& model, const Sequence& sequence);

}  // namespace grin
