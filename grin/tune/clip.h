#pragma once
// Clipping by the norm of the selected gradients, as torch.nn.utils.clip_grad_norm_ does it.

#include <span>

#include "grin/tune/masked_adamw.h"

namespace grin {

// The 2-norm of all gradients together, summed in double.
double GradientNorm(std::span<const MaskedParameter> parameters);

// Scales all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before. With a norm
// that is not finite the gradients stay as they are: the caller must not use them.
double ClipGradients(std::span<MaskedParameter> parameters, double max_norm);

}  // namespace grin
