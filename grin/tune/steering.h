#pragma once
// Where rmu pulls hidden states to.

#include <ATen/ATen.h>

#include <cstdint>

namespace grin {

// A unit vector, fp32 [width], uniform on the sphere; or with `positive`, as OpenUnlearning draws
// it, of components uniform in [0, 1) before it is made one. A pure function of its arguments.
at::Tensor SteeringDirection(uint64_t seed, int64_t width, bool positive = false);

}  // namespace grin
