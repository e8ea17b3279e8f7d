#pragma once
// What objectives on log-probabilities share: sums over the sequences of a pass. All of it is made of
// expressions in float64 on the device of the log-probabilities, so that no pass makes the host wait.

#include <ATen/ATen.h>

#include <functional>

#include "grin/tune/objective.h"

namespace grin {

// -log sigmoid(x), for any x without overflow.
at::Tensor NegativeLogSigmoid(const at::Tensor& x);

// For losses that are a weighted mean over tokens: `loss` returns the tokens' losses and their
// derivatives by the log-probabilities that it is given, all double [N]. What it says of tokens without
// weight, whose log-probability it is given as 0, does not count.
struct TokenLosses {
  at::Tensor loss, slope;
};
LossAndGradient OfTokens(const TokenValues& values,
                         const std::function<TokenLosses(const at::Tensor& logp)>& loss);

// What is known of each sequence, double [S].
struct SequenceNlls {
  at::Tensor nll;            // NLL_i
  at::Tensor nll_reference;  // undefined where there is none
  at::Tensor tokens;         // T_i
};

// For losses that see a sequence through its NLL_i and T_i.
struct NllLosses {
  at::Tensor loss;   // [S]
  at::Tensor slope;  // d loss / d NLL_i, [S]
};
LossAndGradient OfSequenceNll(const TokenValues& values,
                              const std::function<NllLosses(const SequenceNlls&)>& loss);

// The same of pairs: an answer to be forgotten and one to be preferred.
struct PairLosses {
  at::Tensor loss;                              // [S / 2]
  at::Tensor forgotten_slope, preferred_slope;  // d loss / d NLL of either, [S / 2]
};
LossAndGradient OfPairNll(
    const TokenValues& values,
    const std::function<PairLosses(const SequenceNlls& forgotten, const SequenceNlls& preferred)>&
        loss);

}  // namespace grin
