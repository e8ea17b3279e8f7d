#pragma once
// Token weights that are learned as the model forgets (ATWU, Yuce et al. 2026, arXiv 2606.06320): a
// linear scorer reads the row that predicts a token and says how much of its answer's forgetting
// falls to it. See docs/formulas.md, "Which tokens forget".

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace grin {

class TokenScorer {
 public:
  static constexpr int64_t kPeriod = 5;  // the scorer takes a step at every fifth step

  // All tokens weigh the same at first. `width` numbers make a row.
  TokenScorer(int64_t width, at::Device device);

  // Weights of the tokens of sequences that end at `offsets` [S + 1], from the rows [N, width] that
  // predict them: T_i softmax_t(sigmoid(a h_t + b)) over the T_i tokens of each sequence. They
  // are 1 on average. fp32 [N].
  at::Tensor Weights(const at::Tensor& rows, const std::vector<int64_t>& offsets) const;

  // Adds the gradient of sum_i share_i sum_t softmax_t NLL_t, by the scorer, for tokens of these
  // log-probabilities [N].
  void AddGradient(const at::Tensor& rows, const std::vector<int64_t>& offsets,
                   const at::Tensor& logp, const std::vector<double>& shares);

  // Raises that sum by a step of SGD (rate .1, momentum .9, weight decay 1e-4, norm clipped to 1).
  void Step();

  // fp32 [width + 1]; zeroed before each step.
  at::Tensor& gradient() { return gradient_; }

  // fp32 [2, width + 1], the scorer's own: its weights and its bias; their momentum.
  at::Tensor& state() { return state_; }

 private:
  struct Scored {
    at::Tensor rows;       // fp32 [N, width]
    at::Tensor sequences;  // int64 [N]
    at::Tensor counts;     // fp32 [S], T_i
    at::Tensor sigmoids;   // fp32 [N]
    at::Tensor shares;     // fp32 [N]: softmax
  };
  Scored Score(const at::Tensor& rows, const std::vector<int64_t>& offsets) const;

  at::Tensor state_;
  at::Tensor gradient_;  // fp32 [width + 1]
};

}  // namespace grin
