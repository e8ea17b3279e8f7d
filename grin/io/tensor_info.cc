#include "grin/io/tensor_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace grin {

int64_t TensorInfo::elements() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

std::string FormatShape(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace grin
