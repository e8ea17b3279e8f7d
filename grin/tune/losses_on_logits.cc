// Losses that see whole rows of logits: distributions over the vocabulary.

#include "grin/base/error.h"
#include "grin/model/cpu/softmax.h"
#include "grin/tune/losses.h"

namespace grin {
namespace {

// Logits [c, V] become log-probabilities, in place.
const at::Tensor& ToLogProbabilities(at::Tensor& logits) {
  RunningSoftmax softmax({});
  softmax.Add(logits, 0);
  return logits.sub_(softmax.LogNormaliser().to(at::kFloat).unsqueeze(1));
}

}  // namespace

// KL(reference || model) = sum_v p_ref (log p_ref - log p); its derivative by the model's logits is
// p - p_ref.
at::Tensor DivergenceFromReference(RowValues& rows, const ObjectiveSettings&) {
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

}  // namespace grin
