// Unlikelihood (Welleck et al. 2019, arXiv 1908.04319).

#include <cmath>

#include "grin/tune/on_logp.h"

namespace grin {
namespace {

// As p -> 1 both -log(1 - p) and its derivative p / (1 - p) diverge, and fp32 cannot tell p from 1
// any more; from 1 - p = 1e-6 on both are those at that point, so that a token known by heart still
// has a gradient.
LossAndGradient UnlikelihoodLoss(const TokenValues& values, const ObjectiveSettings&) {
  static const double kHighest = std::log1p(-1e-6);
  return OfTokens(values, [](const at::Tensor& logp) {
    const at::Tensor lp = logp.clamp_max(kHighest);
    return TokenLosses{lp.expm1().neg().log().neg(), lp.neg().expm1().reciprocal()};
  });
}

}  // namespace

extern const Objective kUnlikelihood;
const Objective kUnlikelihood = {.name = "ul",
                                 .formula = "mean_i mean_t -log(1 - p_t)",
                                 .gamma = 0.01,
                                 .kind = OnLogp{UnlikelihoodLoss}};

}  // namespace grin
