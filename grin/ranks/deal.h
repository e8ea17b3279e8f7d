#pragma once
// Work that several processes share, dealt out by what each piece costs.

#include <cstdint>
#include <span>
#include <vector>

namespace grin {

// For each of `parts` parts the numbers of its things, ascending. The costliest thing first, each
// goes to the part that has the least so far. Of parts that have the same the one comes first that
// lies farthest from those before it (0, 4, 2, 6, ... of 8), so that neighbouring parts, which one
// process does, do not fill before the others. A pure function of its arguments.
std::vector<std::vector<int64_t>> DealOut(std::span<const int64_t> costs, int64_t parts);

}  // namespace grin
