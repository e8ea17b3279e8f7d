// The likelihood of what is to be said: of the retain set, of refusals in the place of the answers
// to be forgotten (preference optimisation, Maini et al. 2024), or of nothing.

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

LossAndGradient LikelihoodLoss(const TokenValues& values, const ObjectiveSettings&) {
  return OfSequenceNll(values, [](const SequenceNlls& s) {
    return NllLosses{s.nll / s.tokens, 1 / s.tokens};
  });
}

LossAndGradient NoLoss(const TokenValues& values, const ObjectiveSettings&) {
  return {at::zeros({}, values.logp.options().dtype(at::kDouble)), at::zeros_like(values.logp)};
}

}  // namespace

extern const Objective kLikelihood;
const Objective kLikelihood = {.name = "nll",
                               .formula = "mean_i NLL_i / T_i",
                               .open_unlearning = {.mean = Counting::Mean::kTokens},
                               .kind = OnLogp{LikelihoodLoss}};

extern const Objective kRefusalLikelihood;
const Objective kRefusalLikelihood = {.name = "po",
                                      .formula = "mean_i NLL_i / T_i of refusals",
                                      .answers = Answers::kRefusals,
                                      .open_unlearning = {.mean = Counting::Mean::kTokens},
                                      .kind = OnLogp{LikelihoodLoss}};

extern const Objective kNothing;
const Objective kNothing = {.name = "none", .formula = "0", .kind = OnLogp{NoLoss}};

}  // namespace grin
