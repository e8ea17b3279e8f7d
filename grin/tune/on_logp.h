#pragma once
// What objectives on log-probabilities share: going over the sequences of a pass.

#include <cstdint>
#include <functional>
#include <span>

#include "grin/tune/objective.h"

namespace grin {

double Sigmoid(double x);
double NegativeLogSigmoid(double x);  // -log sigmoid(x), for any x without overflow

// The tokens of one sequence.
struct ScoredSequence {
  std::span<const float> logp;
  std::span<const float> reference;  // empty where there is none
  std::span<const float> weight;
  double tokens = 0;         // T_i
  double nll = 0;            // NLL_i
  double nll_reference = 0;  // 0 where there is none
};

// `loss` returns a sequence's loss and fills in its derivative by each log-probability.
LossAndGradient ForEachSequence(
    const TokenValues& values,
    const std::function<double(const ScoredSequence&, std::span<float> gradient)>& loss);

// For losses that are a weighted mean over tokens: `loss` returns a token's loss and its derivative
// by the log-probability that it is given. Tokens without weight are not asked for.
struct TokenLoss {
  double loss = 0;
  double slope = 0;
};
LossAndGradient OfTokens(const TokenValues& values,
                         const std::function<TokenLoss(double logp)>& loss);

// For losses that see a sequence through its NLL_i and T_i.
struct NllLoss {
  double loss = 0;
  double slope = 0;  // d loss / d NLL_i
};
LossAndGradient OfSequenceNll(const TokenValues& values,
                              const std::function<NllLoss(const ScoredSequence&)>& loss);

// The same of pairs: an answer to be forgotten and one to be preferred.
struct PairLoss {
  double loss = 0;
  double forgotten_slope = 0, preferred_slope = 0;  // d loss / d NLL of either
};
LossAndGradient OfPairNll(const TokenValues& values,
                          const std::function<PairLoss(const ScoredSequence& forgotten,
                                                       const ScoredSequence& preferred)>& loss);

}  // namespace grin
