#include "grin/tune/token_scorer.h"

#include <ATen/core/grad_mode.h>

#include "grin/model/device.h"

namespace grin {
namespace {

constexpr double kScorerRate = 0.1, kScorerMomentum = 0.9, kScorerDecay = 1e-4, kScorerNorm = 1;

}  // namespace

TokenScorer::TokenScorer(int64_t width, at::Device device)
    : state_(at::zeros({2, width + 1}, at::TensorOptions(at::kFloat).device(device))),
      gradient_(at::zeros({width + 1}, at::TensorOptions(at::kFloat).device(device))) {}

TokenScorer::Scored TokenScorer::Score(const at::Tensor& rows,
                                       const std::vector<int64_t>& offsets) const {
  const int64_t width = state_.size(1) - 1;
  std::vector<int64_t> sequences;
  std::vector<float> counts;
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    sequences.insert(sequences.end(), offsets[i + 1] - offsets[i], static_cast<int64_t>(i));
    counts.push_back(static_cast<float>(offsets[i + 1] - offsets[i]));
  }
  const at::Device device = state_.device();
  Scored scored{.rows = rows.detach().to(device, at::kFloat),
                .sequences = UploadIndices(sequences, device),
                .counts = Upload(at::tensor(counts, at::kFloat), device)};
  const at::Tensor scorer = state_.select(0, 0);
  scored.sigmoids =
      scored.rows.matmul(scorer.narrow(0, 0, width)).add_(scorer.select(0, width)).sigmoid_();
  const at::Tensor exponentials = scored.sigmoids.exp();  // of numbers in 0 .. 1
  const at::Tensor sums =
      at::zeros_like(scored.counts).index_add_(0, scored.sequences, exponentials);
  scored.shares = exponentials / sums.index_select(0, scored.sequences);
  return scored;
}

at::Tensor TokenScorer::Weights(const at::Tensor& rows, const std::vector<int64_t>& offsets) const {
  const at::NoGradGuard no_grad;
  const Scored scored = Score(rows, offsets);
  return scored.shares * scored.counts.index_select(0, scored.sequences);
}

// d sum_u s_u NLL_u / d sigmoid_t = s_t (NLL_t - sum_u s_u NLL_u), with s the softmax.
void TokenScorer::AddGradient(const at::Tensor& rows, const std::vector<int64_t>& offsets,
                              const at::Tensor& logp, const std::vector<double>& shares) {
  const at::NoGradGuard no_grad;
  const Scored scored = Score(rows, offsets);
  const at::Tensor nll = logp.detach().to(state_.device(), at::kFloat).neg();
  const at::Tensor means =
      at::zeros_like(scored.counts).index_add_(0, scored.sequences, scored.shares * nll);
  const at::Tensor share = Upload(at::tensor(shares, at::kDouble).to(at::kFloat), state_.device())
                               .index_select(0, scored.sequences);
  const at::Tensor slope = share * scored.shares * (nll - means.index_select(0, scored.sequences)) *
                           scored.sigmoids *
                           (1 - scored.sigmoids);  // [N], by what the sigmoid reads
  const int64_t width = state_.size(1) - 1;
  gradient_.narrow(0, 0, width).add_(slope.matmul(scored.rows));
  gradient_.select(0, width).add_(slope.sum());
}

void TokenScorer::Step() {
  const at::NoGradGuard no_grad;
  at::Tensor scorer = state_.select(0, 0), momentum = state_.select(0, 1);
  // Down the negative: the sum is to rise. Clipped as clip_grad_norm_ does.
  at::Tensor down = gradient_.neg();
  const at::Tensor factor = (kScorerNorm / (down.norm() + 1e-6)).clamp_max_(1);
  down = down.mul_(factor).add_(scorer, kScorerDecay);
  momentum.mul_(kScorerMomentum).add_(down);
  scorer.sub_(momentum, kScorerRate);
  gradient_.zero_();
}

}  // namespace grin
