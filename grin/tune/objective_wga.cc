// Weighted gradient ascent (Wang et al. 2025, arXiv 2502.19301): a token counts by its own
// probability, so that what is forgotten already is left alone. No gradient goes through the
// weight.

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kWeightedAscentParameters[] = {
    {"beta", 1, "exponent of a token's probability in its weight"}};

LossAndGradient WeightedAscentLoss(const TokenValues& values, const ObjectiveSettings& settings) {
  const double beta = settings["beta"];
  return OfTokens(values, [=](const at::Tensor& logp) {
    const at::Tensor weight = beta == 0 ? at::ones_like(logp) : (beta * logp).exp();
    // Impossible tokens have none.
    return TokenLosses{(weight * logp).masked_fill(weight.eq(0), 0), weight};
  });
}

}  // namespace

extern const Objective kWeightedAscent;
const Objective kWeightedAscent = {.name = "wga",
                                   .formula = "mean_i mean_t p_t^beta lp_t, p_t^beta detached",
                                   .parameters = kWeightedAscentParameters,
                                   .open_unlearning = {.mean = Counting::Mean::kTokens},
                                   .kind = OnLogp{WeightedAscentLoss}};

}  // namespace grin
