// The divergence from the untouched model's distributions.

#include "grin/base/error.h"
#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

// KL(reference || model) = sum_v p_ref (log p_ref - log p); its derivative by the model's logits is
// p - p_ref.
at::Tensor DivergenceLoss(RowValues& rows, const ObjectiveSettings&) {
  if (!rows.reference.defined()) Defect("tune", "kl got no logits of the reference");
  const at::Tensor logp = ToLogProbabilities(rows.values);
  const at::Tensor reference = ToLogProbabilities(rows.reference);
  at::Tensor terms = reference - logp;
  reference.exp_();
  // Where the reference's probability is 0 there is nothing to lose, however unlikely it is now.
  terms.mul_(reference).masked_fill_(reference.eq(0), 0);
  rows.values.exp_().sub_(reference);
  // These differences sum to 0, but for what is rounded in the normalisers: they take it out again.
  return terms.add_(rows.values).sum(-1);
}

}  // namespace

extern const Objective kDivergenceFromReference;
const Objective kDivergenceFromReference = {.name = "kl",
                                            .formula = "mean_i mean_t KL(p_t^ref || p_t)",
                                            .needs_reference = true,
                                            .open_unlearning = {.rows = Counting::Rows::kAll},
                                            .kind = OnLogits{DivergenceLoss}};

}  // namespace grin
