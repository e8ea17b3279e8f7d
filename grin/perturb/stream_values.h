#pragma once
// Random numbers of the entries of a weight, by their positions.

#include <ATen/ATen.h>

#include "grin/base/random.h"
#include "grin/model/parallel.h"

namespace grin {

// f(stream, position) of every entry, double [n] on the CPU: at indices[j], or at 0..n-1 where
// `indices` is undefined.
template <typename F>
at::Tensor StreamValues(const RandomStream& stream, const at::Tensor& indices, int64_t n, const F& f) {
  const at::Tensor on_cpu = indices.defined() ? indices.cpu().contiguous() : indices;
  const int64_t* positions = on_cpu.defined() ? on_cpu.const_data_ptr<int64_t>() : nullptr;
  const at::Tensor values = at::empty({n}, at::kDouble);
  double* value = values.mutable_data_ptr<double>();
  ForEachPiece(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) value[i] = f(stream, positions ? positions[i] : i);
  });
  return values;
}

}  // namespace grin
