#include "grin/model/cpu/softmax.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "grin/model/cpu/softmax_kernels.h"

namespace grin {
namespace {

// Rows of this many numbers that are worth a second thread.
int64_t RowsForAThread(int64_t width) {
  constexpr int64_t kEnoughNumbers = 32768;
  return std::max<int64_t>(1, kEnoughNumbers / std::max<int64_t>(1, width));
}

}  // namespace

RunningSoftmax::Sums RunningSoftmax::OfBlock(const at::Tensor& block) const {
  if (!block.is_cpu()) {
    const at::Tensor largest = block.amax(-1).clamp_min_(std::numeric_limits<float>::lowest());
    const at::Tensor distances = block - largest.unsqueeze(1), weights = distances.exp();
    const at::Tensor total = weights.sum(-1, false, at::kDouble), wide = largest.to(at::kDouble);
    if (!extras_.moments) return {wide, total, {}, {}};
    const at::Tensor mean = (weights * distances).sum(-1, false, at::kDouble).div_(total);
    const at::Tensor squares = (weights * (distances - mean.unsqueeze(1)).square_()).sum(-1);
    return {wide, total, mean, squares};
  }
  const at::Tensor table = block.contiguous();
  const int64_t rows = table.size(0), width = table.size(1);
  const bool moments = extras_.moments;
  const at::Tensor sums = at::empty({4, rows}, at::kDouble);
  const auto* logits = table.const_data_ptr<float>();
  auto* to = sums.mutable_data_ptr<double>();
  at::parallel_for(0, rows, RowsForAThread(width), [&](int64_t begin, int64_t end) {
    std::vector<float> weights(moments ? width : 0);
    for (int64_t row = begin; row < end; ++row) {
      const RowSums of_row =
          SumRow(logits + row * width, width, moments ? weights.data() : nullptr);
      to[row] = of_row.largest;
      to[rows + row] = of_row.total;
      to[2 * rows + row] = of_row.mean;
      to[3 * rows + row] = of_row.squares;
    }
  });
  if (!moments) return {sums[0], sums[1], {}, {}};
  return {sums[0], sums[1], sums[2], sums[3]};
}

void RunningSoftmax::Add(const at::Tensor& block, int64_t first) {
  const Sums sums = OfBlock(block);
  if (extras_.argmax) {
    const at::Tensor found = ArgmaxOfRows(block).add_(first);
    if (argmax_.defined()) {
      const at::Tensor is_new =
          sums.largest.gt(sums_.largest)
              .logical_or_(sums.largest.isnan().logical_and_(sums_.largest.isnan().logical_not_()));
      argmax_ = at::where(is_new, found, argmax_);
    } else {
      argmax_ = found;
    }
  }
  Merge(sums);
}

void RunningSoftmax::Merge(const Sums& block) {
  if (!sums_.total.defined()) {
    sums_ = block;
    return;
  }
  const at::Tensor largest = at::maximum(sums_.largest, block.largest);
  const at::Tensor scale = (sums_.largest - largest).exp_(), before = sums_.total * scale;
  const at::Tensor block_scale = (block.largest - largest).exp_();
  const at::Tensor added = block.total * block_scale;
  const at::Tensor total = before + added;
  if (extras_.moments) {
    // Chan, Golub, LeVeque: Algorithms for computing the sample variance (1983), with weights.
    const at::Tensor mean = sums_.mean + (sums_.largest - largest);
    const at::Tensor block_mean = block.mean + (block.largest - largest), share = added / total;
    sums_.squares = sums_.squares * scale + block.squares * block_scale +
                    (block_mean - mean).square_() * share * before;
    // Not mean + (block_mean - mean) * share, which rounds where one mean is far away.
    sums_.mean = mean * (before / total) + block_mean * share;
  }
  sums_.largest = largest;
  sums_.total = total;
}

at::Tensor RunningSoftmax::LogNormaliser() const {
  return sums_.largest + sums_.total.log();
}

at::Tensor RunningSoftmax::Argmax() const { return argmax_; }

at::Tensor RunningSoftmax::Mean() const {
  return extras_.moments ? (sums_.mean - sums_.total.log()).to(at::kFloat) : at::Tensor();
}

at::Tensor RunningSoftmax::Variance() const {
  return extras_.moments ? (sums_.squares / sums_.total).to(at::kFloat) : at::Tensor();
}

at::Tensor SerialLogNormaliser(const at::Tensor& logits) {
  if (!logits.is_cpu()) return logits.logsumexp(-1);
  constexpr int64_t kTogether = 8;  // rows that the kernel takes at a time
  const at::Tensor table = logits.contiguous();
  const int64_t rows = table.size(0), columns = table.size(1);
  at::Tensor normalisers = at::empty({rows}, at::kFloat);
  const auto* from = table.const_data_ptr<float>();
  auto* to = normalisers.mutable_data_ptr<float>();
  at::parallel_for(0, (rows + kTogether - 1) / kTogether, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kTogether, last = std::min(end * kTogether, rows);
    SerialNormalisers(from + first * columns, last - first, columns, to + first);
  });
  return normalisers;
}

at::Tensor ArgmaxOfRows(const at::Tensor& rows) {
  if (!rows.is_cpu()) return rows.argmax(-1);
  const at::Tensor table = rows.contiguous();
  at::Tensor indices = at::empty({rows.size(0)}, at::kLong);
  const auto* numbers = table.const_data_ptr<float>();
  auto* found = indices.mutable_data_ptr<int64_t>();
  const int64_t width = rows.size(1);
  at::parallel_for(0, rows.size(0), RowsForAThread(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      found[row] = FirstLargest(numbers + row * width, width);
    }
  });
  return indices;
}

}  // namespace grin
