// Distilled from the untouched model with the token to be forgotten left out: what it would say had it to
// choose among all others. This project's own: the limit of UNDIAL (objective_undial.cc) for a large beta. A
// token that was learned by heart has a probability near 1, of which a finite beta leaves much: a third of
// .9999 at UNDIAL's 10.

#include <limits>

#include "grin/base/error.h"
#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

// KL(q || p), with q the untouched model's probabilities without the token, grown to 1 again.
at::Tensor OmissionLoss(RowValues& rows, const ObjectiveSettings&) {
  if (!rows.reference.defined()) Defect("tune", "omit got no logits of the reference");
  const at::Tensor column = rows.tokens.unsqueeze(1);  // [c, 1]
  const at::Tensor logq = ToLogProbabilities(rows.reference);
  const at::Tensor lost = logq.gather(1, column).exp_();
  at::Tensor target = logq.scatter(1, column, -std::numeric_limits<float>::infinity());  // [c, V]
  ToLogProbabilities(target);
  const at::Tensor logp = ToLogProbabilities(rows.values);
  at::Tensor terms = target - logp;
  target.exp_();
  terms.mul_(target).masked_fill_(target.eq(0), 0);
  // The derivative is softmax - target, by way of the untouched model's softmax.
  ToDifference(target, rows.tokens, lost);
  rows.values.exp_().sub_(rows.reference.exp_()).add_(target);
  return terms.sum(-1);
}

}  // namespace

extern const Objective kOmission;
const Objective kOmission = {
    .name = "omit",
    .formula = "mean_i mean_t KL(softmax of z_t^ref without token_t || softmax(z_t))",
    .needs_reference = true,
    .kind = OnLogits{OmissionLoss}};

}  // namespace grin
