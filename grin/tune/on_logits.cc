#include "grin/tune/on_logits.h"

#include "grin/model/cpu/softmax.h"

namespace grin {

const at::Tensor& ToLogProbabilities(at::Tensor& logits) {
  RunningSoftmax softmax({});
  softmax.Add(logits, 0);
  return logits.sub_(softmax.LogNormaliser().to(at::kFloat).unsqueeze(1));
}

at::Tensor CrossEntropyOfRows(at::Tensor& values, const at::Tensor& target) {
  ToLogProbabilities(values);
  // What the target leaves out may be impossible.
  const at::Tensor loss = values.mul(target).masked_fill_(target.eq(0), 0).sum(-1).neg_();
  values.exp_().sub_(target);
  return loss;
}

}  // namespace grin
