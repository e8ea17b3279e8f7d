#pragma once

#include <ATen/ATen.h>

namespace grin {

// The first index of the largest value of each row: int64 [N] of fp32 [N, V]; of the first NaN
// where there is one.
at::Tensor ArgmaxOfRows(const at::Tensor& rows);

}  // namespace grin
