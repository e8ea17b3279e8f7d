// Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868). Its gamma is this
// project's (docs/decisions.md, "What was tried for the default recipe"); public recipes have 1.

#include "grin/base/error.h"
#include "grin/tune/on_logp.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kNegativePreferenceParameters[] = {
    {"beta", 0.1, "sharpness of the preference"}};

LossAndGradient NegativePreferenceLoss(const TokenValues& values,
                                       const ObjectiveSettings& settings) {
  if (!values.reference.defined()) Defect("tune", "npo got no reference log-probabilities");
  const double beta = settings["beta"];
  return OfSequenceNll(values, [=](const SequenceNlls& s) {
    const at::Tensor x = beta * (s.nll - s.nll_reference);
    return NllLosses{2 / beta * NegativeLogSigmoid(x), -2 * at::sigmoid(-x)};
  });
}

}  // namespace

extern const Objective kNegativePreference;
const Objective kNegativePreference = {
    .name = "npo",
    .formula = "-(2 / beta) mean_i log sigmoid(beta (NLL_i - NLL_i^ref))",
    .parameters = kNegativePreferenceParameters,
    .gamma = 0.05,
    .needs_reference = true,
    .open_unlearning_gamma = 1,
    .kind = OnLogp{NegativePreferenceLoss}};

}  // namespace grin
