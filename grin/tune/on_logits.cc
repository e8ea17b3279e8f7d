#include "grin/tune/on_logits.h"

#include "grin/model/cpu/softmax.h"

namespace grin {

const at::Tensor& ToLogProbabilities(at::Tensor& logits) {
  RunningSoftmax softmax({});
  softmax.Add(logits, 0);
  return logits.sub_(softmax.LogNormaliser().to(at::kFloat).unsqueeze(1));
}

at::Tensor CrossEntropyOfRows(const at::Tensor& logp, const at::Tensor& target) {
  // What the target leaves out may be impossible.
  return logp.mul(target).masked_fill_(target.eq(0), 0).sum(-1).neg_();
}

void ToDifference(at::Tensor& left, const at::Tensor& tokens, const at::Tensor& lost) {
  left.neg_().scatter_add_(1, tokens.unsqueeze(1), at::ones_like(lost)).mul_(lost);
}

}  // namespace grin
