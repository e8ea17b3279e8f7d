#include "grin/model/argmax.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace grin {
namespace {

bool IsNan(float value) { return std::isnan(value); }

}  // namespace

at::Tensor ArgmaxOfRows(const at::Tensor& rows) {
  if (!rows.is_cpu()) return rows.argmax(-1);
  // A search for the largest value is several times faster than a search that carries indices.
  const at::Tensor largest = rows.amax(-1), table = rows.contiguous();
  at::Tensor indices = at::empty(largest.sizes(), at::kLong);
  const auto* values = table.const_data_ptr<float>();
  const auto* wanted = largest.const_data_ptr<float>();
  auto* found = indices.mutable_data_ptr<int64_t>();
  const int64_t width = rows.size(1);
  at::parallel_for(0, rows.size(0), 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* first = values + row * width;
      found[row] = std::isnan(wanted[row])
                       ? std::ranges::find_if(first, first + width, IsNan) - first
                       : std::ranges::find(first, first + width, wanted[row]) - first;
    }
  });
  return indices;
}

}  // namespace grin
