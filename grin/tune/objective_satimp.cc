// SatImp (Yang et al. 2025, arXiv 2505.11953): gradient ascent, where a token counts by saturation,
// p^beta, and by importance, (1 - p)^beta2. No gradient goes through the weight. The paper's own
// runs have gamma 1 and alpha 0.1, OpenUnlearning's have gamma 0.1 and alpha 1, as here.

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kSaturationImportanceParameters[] = {
    {"beta", 5, "exponent of a token's probability in its weight"},
    {"beta2", 1, "exponent of 1 - p in its weight"}};

LossAndGradient SaturationImportanceLoss(const TokenValues& values,
                                         const ObjectiveSettings& settings) {
  const double beta = settings["beta"], beta2 = settings["beta2"];
  return OfTokens(values, [=](const at::Tensor& logp) {
    const at::Tensor saturation = beta == 0 ? at::ones_like(logp) : (beta * logp).exp();
    const at::Tensor weight = saturation * logp.expm1().neg().pow(beta2);
    return TokenLosses{(weight * logp).masked_fill(weight.eq(0), 0), weight};
  });
}

}  // namespace

extern const Objective kSaturationImportance;
const Objective kSaturationImportance = {
    .name = "satimp",
    .formula = "mean_i mean_t p_t^beta (1 - p_t)^beta2 lp_t, both factors detached",
    .parameters = kSaturationImportanceParameters,
    .gamma = 0.1,
    .open_unlearning = {.mean = Counting::Mean::kTokens},
    .kind = OnLogp{SaturationImportanceLoss}};

}  // namespace grin
