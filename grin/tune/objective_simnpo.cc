// SimNPO: negative preference by length, without a reference (Fan et al. 2024, arXiv 2410.07163).

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kSimpleNegativeParameters[] = {
    {"beta", 4.5, "sharpness of the preference"}, {"delta", 0, "margin in nats per token"}};

LossAndGradient SimpleNegativeLoss(const TokenValues& values, const ObjectiveSettings& settings) {
  const double beta = settings["beta"], delta = settings["delta"];
  return OfSequenceNll(values, [=](const SequenceNlls& s) {
    const at::Tensor x = beta * (s.nll / s.tokens - delta);
    return NllLosses{2 / beta * NegativeLogSigmoid(x), -2 * at::sigmoid(-x) / s.tokens};
  });
}

}  // namespace

extern const Objective kSimpleNegativePreference;
const Objective kSimpleNegativePreference = {
    .name = "simnpo",
    .formula = "-(2 / beta) mean_i log sigmoid(beta (NLL_i / T_i - delta))",
    .parameters = kSimpleNegativeParameters,
    .gamma = 0.125,
    .kind = OnLogp{SimpleNegativeLoss}};

}  // namespace grin
