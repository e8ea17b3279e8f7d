#pragma once

#include "grin/perturb/perturb.h"

namespace grin {

// values[j] = mean + deviation * N(0, 1) of stream "reset/<name>" at position indices[j], computed in
// double and rounded once: what was there is gone, and only the weight's distribution is kept.
void PerturbReset(const PerturbInput& input, at::Tensor& values);

}  // namespace grin
