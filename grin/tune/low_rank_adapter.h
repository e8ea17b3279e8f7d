#pragma once
// A low-rank change of some matrices of a model, trained by plain gradient descent and taken off again
// (LoRA, Hu et al. 2021): who relearns while something else is found out.

#include <map>
#include <string>
#include <vector>

#include "grin/model/gradient_sink.h"
#include "grin/tune/loss_term.h"

namespace grin {

class LowRankAdapter {
 public:
  // Of the matrices with these names, [R, C] as they are stored: W + B A with A [rank, C] uniform in
  // (-1, 1) / sqrt(C) by seed and name, and B [R, rank] 0, both fp32. `model` must outlive this; its
  // weights are those of the checkpoint.
  LowRankAdapter(const Model& model, const std::vector<std::string>& names, int64_t rank,
                 uint64_t seed);
  ~LowRankAdapter() { TakeOff(); }
  LowRankAdapter(const LowRankAdapter&) = delete;
  LowRankAdapter& operator=(const LowRankAdapter&) = delete;

  // One step of gradient descent on the mean loss over the sequences drawn, at the changed weights.
  // Returns the loss before it: double [], on the model's device.
  at::Tensor Step(const LossTerm& term, std::span<const int64_t> drawn, double lr, int64_t pass_tokens,
              int64_t& tokens);

  // Puts the weights back to those of the checkpoint.
  void TakeOff();

  struct Factors {
    at::Tensor a, b;                    // fp32 [rank, C], [R, rank]
    at::Tensor a_gradient, b_gradient;
  };
  const std::map<std::string, Factors>& factors() const { return factors_; }

 private:
  void PutOn();
  at::Tensor Stored(const std::string& name) const;

  const Model& model_;
  std::map<std::string, Factors> factors_;
};

}  // namespace grin
