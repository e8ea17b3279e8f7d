#pragma once
// Who sees whom within one sequence.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

namespace grin {

// True where query i may see key j: j <= i and, with a window, i - window < j. bool [length,
// length]
at::Tensor SeenBy(int64_t length, std::optional<int64_t> window, at::Device device);

}  // namespace grin
