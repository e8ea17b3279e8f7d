#include "grin/model/running_softmax.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "grin/base/instructions.h"
#include "grin/model/argmax.h"
#include "grin/model/exp_of_negative.h"

namespace grin {
namespace {

// In place of -infinity, whose distance to itself is a NaN: a tile may hold nothing but tokens that
// are ruled out, and its sums then weigh nothing beside others.
constexpr float kLowest = std::numeric_limits<float>::lowest();

struct RowSums {
  float largest, total, mean, squares;
};

// `weights` is room for `count` numbers, used for moments only.
GRIN_INLINE inline RowSums SumRow(const float* logits, int64_t count, bool moments,
                                  float* weights) {
  float largest = kLowest;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < count; ++j) largest = logits[j] > largest ? logits[j] : largest;
  float total = 0;
  if (!moments) {
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < count; ++j) total += ExpOfNegative(logits[j] - largest);
    return {largest, total, 0, 0};
  }
  float distance = 0, squares = 0;
#pragma omp simd reduction(+ : total, distance)
  for (int64_t j = 0; j < count; ++j) {
    const float from_largest = logits[j] - largest;
    weights[j] = ExpOfNegative(from_largest);
    total += weights[j];
    distance += weights[j] * from_largest;
  }
  const float mean = distance / total;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < count; ++j) {
    const float from_mean = (logits[j] - largest) - mean;
    squares += weights[j] * (from_mean * from_mean);
  }
  return {largest, total, mean, squares};
}

}  // namespace

RunningSoftmax::Sums RunningSoftmax::OfBlock(const at::Tensor& block) const {
  if (!block.is_cpu()) {
    const at::Tensor largest = block.amax(-1).clamp_min_(kLowest);
    const at::Tensor distances = block - largest.unsqueeze(1), weights = distances.exp();
    const at::Tensor total = weights.sum(-1);
    if (!extras_.moments) return {largest, total, {}, {}};
    const at::Tensor mean = (weights * distances).sum(-1).div_(total);
    return {largest, total, mean, (weights * (distances - mean.unsqueeze(1)).square_()).sum(-1)};
  }
  const at::Tensor table = block.contiguous();
  const int64_t rows = table.size(0), width = table.size(1);
  const bool moments = extras_.moments;
  Sums sums{at::empty({rows}, at::kFloat), at::empty({rows}, at::kFloat), {}, {}};
  if (moments) {
    sums.mean = at::empty({rows}, at::kFloat);
    sums.squares = at::empty({rows}, at::kFloat);
  }
  const auto* logits = table.const_data_ptr<float>();
  auto *largest = sums.largest.mutable_data_ptr<float>(),
       *total = sums.total.mutable_data_ptr<float>();
  auto* mean = moments ? sums.mean.mutable_data_ptr<float>() : nullptr;
  auto* squares = moments ? sums.squares.mutable_data_ptr<float>() : nullptr;
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> weights(moments ? width : 0);
    WithBestInstructions([&]() GRIN_INLINE {
      for (int64_t row = begin; row < end; ++row) {
        const RowSums row_sums = SumRow(logits + row * width, width, moments, weights.data());
        // A search for the largest passes by NaNs, a sum does not.
        largest[row] = std::isnan(row_sums.total) ? row_sums.total : row_sums.largest;
        total[row] = row_sums.total;
        if (!moments) continue;
        mean[row] = row_sums.mean;
        squares[row] = row_sums.squares;
      }
    });
  });
  return sums;
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

at::Tensor RunningSoftmax::LogNormaliser() const { return sums_.largest + sums_.total.log(); }

at::Tensor RunningSoftmax::Argmax() const { return argmax_; }

at::Tensor RunningSoftmax::Mean() const {
  return extras_.moments ? sums_.mean - sums_.total.log() : at::Tensor();
}

at::Tensor RunningSoftmax::Variance() const {
  return extras_.moments ? sums_.squares / sums_.total : at::Tensor();
}

}  // namespace grin
