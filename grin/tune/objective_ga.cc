// Gradient ascent on the answers to be forgotten: by itself (Jang et al. 2023), or beside a retain
// loss (gradient difference, Liu et al. 2022; Maini et al. 2024). Neither has a floor.

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

LossAndGradient AscentLoss(const TokenValues& values, const ObjectiveSettings&) {
  return OfSequenceNll(values, [](const SequenceNlls& s) {
    return NllLosses{-s.nll / s.tokens, -1 / s.tokens};
  });
}

}  // namespace

extern const Objective kGradientAscent;
const Objective kGradientAscent = {.name = "ga",
                                   .formula = "-mean_i NLL_i / T_i, by itself",
                                   .retain_default = "none",
                                   .open_unlearning = {.mean = Counting::Mean::kTokens},
                                   .kind = OnLogp{AscentLoss}};

extern const Objective kGradientDifference;
const Objective kGradientDifference = {.name = "graddiff",
                                       .formula = "-mean_i NLL_i / T_i",
                                       .open_unlearning = {.mean = Counting::Mean::kTokens},
                                       .kind = OnLogp{AscentLoss}};

}  // namespace grin
