// CE-U (Yang 2025, arXiv 2503.01224): cross-entropy of the model's own distribution without the
// true token. No gradient goes through that target. By itself, and without an answer's first token,
// which a model that is to stay fluent needs (the paper's training settings).

#include <limits>

#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kCrossEntropyUnlearningParameters[] = {
    {"skip-tokens", 1, "so many first tokens of each answer are left alone"}};

at::Tensor CrossEntropyUnlearningLoss(RowValues& rows, const ObjectiveSettings&) {
  const at::Tensor column = rows.tokens.unsqueeze(1);  // [c, 1]
  at::Tensor target =
      rows.values.scatter(1, column, -std::numeric_limits<double>::infinity());
  ToLogProbabilities(target);
  target.exp_();
  const at::Tensor logp = ToLogProbabilities(rows.values);
  const at::Tensor loss = CrossEntropyOfRows(logp, target);
  // The derivative is softmax - target: the target lost all of the token's probability.
  ToDifference(target, rows.tokens, logp.gather(1, column).exp_());
  rows.values.copy_(target);
  return loss;
}

}  // namespace

extern const Objective kCrossEntropyUnlearning;
const Objective kCrossEntropyUnlearning = {
    .name = "ceu",
    .formula =
        "mean_i mean_t CE(softmax(logits_t without token_t), softmax(logits_t)), the first "
        "detached",
    .parameters = kCrossEntropyUnlearningParameters,
    .retain_default = "none",
    .open_unlearning = {.mean = Counting::Mean::kTokens},
    .kind = OnLogits{CrossEntropyUnlearningLoss}};

}  // namespace grin
