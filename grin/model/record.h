#pragma once
// Hand-written backward passes on the autograd tape.

#include <ATen/ATen.h>

#include <functional>
#include <vector>

namespace grin {

// Puts `output`, computed from `inputs` without recording, on the tape: when its gradient arrives,
// `backward` returns those of the inputs (undefined where none is needed). `backward` may capture
// detached inputs; they are released after the backward pass. Without an input that needs a
// gradient, `output` is returned as it is.
at::Tensor RecordBackward(const char* name, const std::vector<at::Tensor>& inputs,
                          at::Tensor output,
                          std::function<std::vector<at::Tensor>(const at::Tensor&)> backward);

}  // namespace grin
