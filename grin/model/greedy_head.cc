#include "grin/model/greedy_head.h"

#include <ATen/Parallel.h>

#include "grin/base/instructions.h"
#include "grin/model/argmax.h"

namespace grin {
namespace {

GRIN_INLINE inline double DotInDouble(const float* a, const float* b, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

GreedyHead::GreedyHead(const Head& head)
    : head_(head), logits_(head), screen_(Int8Screen::Of(head)) {}

at::Tensor GreedyHead::operator()(const at::Tensor& hidden) {
  if (screen_) {
    if (const auto candidates = screen_->Candidates(hidden)) {
      size_t total = 0;
      for (const auto& tokens : *candidates) total += tokens.size();
      // A row's candidates are compared one by one, which does not pay for many.
      constexpr int64_t kFewOf = 64;
      if (static_cast<int64_t>(total) * kFewOf <= hidden.size(0) * head_.weight.value.size(0)) {
        return Exact(hidden, *candidates);
      }
    }
  }
  return ArgmaxOfRows(logits_(hidden));
}

at::Tensor GreedyHead::Exact(const at::Tensor& hidden,
                             const std::vector<std::vector<int32_t>>& candidates) const {
  const at::Tensor rows = hidden.contiguous(), weight = head_.weight.value.contiguous();
  const at::Tensor bias = head_.bias.defined() ? head_.bias.value.contiguous() : at::Tensor();
  at::Tensor best = at::empty({rows.size(0)}, at::kLong);
  const int64_t width = rows.size(1);
  const auto* from = rows.const_data_ptr<float>();
  const auto* tokens = weight.const_data_ptr<float>();
  const auto* more = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  auto* to = best.mutable_data_ptr<int64_t>();
  at::parallel_for(0, rows.size(0), 4, [&](int64_t begin, int64_t end) {
    WithBestInstructions([&]() GRIN_INLINE {
      for (int64_t row = begin; row < end; ++row) {
        double largest = 0;
        int64_t first = -1;
        for (const int32_t token : candidates[row]) {
          if (candidates[row].size() > 1) {
            const double logit = DotInDouble(from + row * width, tokens + token * width, width) +
                                 (more ? more[token] : 0.0);
            if (first >= 0 && logit <= largest) continue;
            largest = logit;
          }
          first = token;
        }
        to[row] = first;
      }
    });
  });
  return best;
}

}  // namespace grin
