#include "grin/model/serial_softmax.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace grin {
namespace {

constexpr int64_t kTogether = 8;  // rows whose additions, each after the other, overlap

// Sums of `kTogether` rows of `columns` numbers.
void AddFromTheLeft(const float* weights, int64_t columns, float* sums) {
  float sum[kTogether] = {};
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t row = 0; row < kTogether; ++row) sum[row] += weights[row * columns + j];
  }
  std::copy_n(sum, kTogether, sums);
}

}  // namespace

at::Tensor SerialLogNormaliser(const at::Tensor& logits) {
  if (!logits.is_cpu()) return logits.logsumexp(-1);
  const at::Tensor largest = logits.amax(-1);
  const at::Tensor weights = (logits - largest.unsqueeze(1)).exp_();
  const int64_t rows = weights.size(0), columns = weights.size(1);
  at::Tensor sums = at::zeros({rows}, at::kFloat);
  const auto* from = weights.const_data_ptr<float>();
  auto* to = sums.mutable_data_ptr<float>();
  const int64_t groups = rows / kTogether;
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      const int64_t row = group * kTogether;
      AddFromTheLeft(from + row * columns, columns, to + row);
    }
  });
  for (int64_t row = groups * kTogether; row < rows; ++row) {
    for (int64_t j = 0; j < columns; ++j) to[row] += from[row * columns + j];
  }
  return sums.log_().add_(largest);
}

}  // namespace grin
