#pragma once
// Who sees whom within one sequence.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

namespace grin {

// True where query i may see key j: j <= i and, with a window, i - window < j. bool [length,
// length]
at::Tensor SeenBy(int64_t length, std::optional<int64_t> window, at::Device device);

// The same for several sequences of that length, without the keys that are hidden: `unseen` bool
// [count, length] -> bool [count, 1, length, length]. A query that would see nothing sees itself.
at::Tensor SeenBy(const at::Tensor& unseen, std::optional<int64_t> window);

}  // namespace grin
