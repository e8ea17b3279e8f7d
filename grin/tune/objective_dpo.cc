// Direct preference of another answer over the one to be forgotten: of a refusal (Rafailov et al.
// 2023; IdkDPO of Maini et al. 2024), or of an alternate answer (AltPO, Mekala et al. 2024, arXiv
// 2409.13474, whose best public TOFU run has alpha 2).

#include "grin/base/error.h"
#include "grin/tune/on_logp.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kDirectPreferenceParameters[] = {
    {"beta", 0.1, "sharpness of the preference"}};

LossAndGradient DirectPreferenceLoss(const TokenValues& values, const ObjectiveSettings& settings) {
  if (!values.reference.defined()) Defect("tune", "dpo got no reference log-probabilities");
  const double beta = settings["beta"];
  return OfPairNll(values, [=](const SequenceNlls& forgotten, const SequenceNlls& preferred) {
    const at::Tensor x = beta * ((forgotten.nll - forgotten.nll_reference) -
                             (preferred.nll - preferred.nll_reference));
    const at::Tensor slope = 2 * at::sigmoid(-x);
    return PairLosses{2 / beta * NegativeLogSigmoid(x), -slope, slope};
  });
}

constexpr std::string_view kDirectPreferenceFormula =
    "-(2 / beta) mean_i log sigmoid(beta ((NLL_i - NLL_i^ref) - (NLL'_i - NLL'_i^ref)))";

}  // namespace

extern const Objective kDirectPreference;
const Objective kDirectPreference = {.name = "dpo",
                                     .formula = kDirectPreferenceFormula,
                                     .parameters = kDirectPreferenceParameters,
                                     .answers = Answers::kOverRefusals,
                                     .needs_reference = true,
                                     .kind = OnLogp{DirectPreferenceLoss}};

extern const Objective kAlternatePreference;
const Objective kAlternatePreference = {.name = "altpo",
                                        .formula = kDirectPreferenceFormula,
                                        .parameters = kDirectPreferenceParameters,
                                        .alpha = 2,
                                        .answers = Answers::kOverAlternates,
                                        .needs_reference = true,
                                        .kind = OnLogp{DirectPreferenceLoss}};

}  // namespace grin
