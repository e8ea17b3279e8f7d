#pragma once

#include "grin/perturb/perturb.h"

namespace grin {

// values[j] = (1 - a) values[j] + a b xi_j (UNDO, arXiv 2506.06278), xi_j uniform in (-x, x) by stream
// "shrink/<name>" at position indices[j], with Xavier's x = sqrt(6 / (in + out)) of a matrix [out, in]
// (or [in, out]); 0 for a vector. One rounding, to fp32.
void PerturbShrink(const PerturbInput& input, at::Tensor& values);

}  // namespace grin
