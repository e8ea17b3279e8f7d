#pragma once
// What a file says about a tensor, before its bytes are read.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/io/dtype.h"

namespace grin {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;

  // Readers check that neither product overflows.
  int64_t elements() const;
  int64_t byte_size() const { return elements() * DTypeSize(dtype); }

  bool operator==(const TensorInfo&) const = default;
};

// "[576, 1536]"
std::string FormatShape(const std::vector<int64_t>& shape);

}  // namespace grin
