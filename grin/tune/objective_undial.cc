// UNDIAL (Dong et al. 2024, arXiv 2402.10052): distilled from the untouched model with the logit of
// the token to be forgotten lowered. By itself, for it brings the rest along.

#include <cmath>

#include "grin/base/error.h"
#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kUndialParameters[] = {
    {"beta", 10, "how far the teacher's logit of the token is lowered"}};

at::Tensor UndialLoss(RowValues& rows, const ObjectiveSettings& settings) {
  if (!rows.reference.defined()) Defect("tune", "undial got no logits of the reference");
  const double beta = settings["beta"];
  const at::Tensor column = rows.tokens.unsqueeze(1);  // [c, 1]
  const at::Tensor logq = ToLogProbabilities(rows.reference);
  const at::Tensor lost = logq.gather(1, column).exp_().mul_(-std::expm1(-beta));
  at::Tensor target =
      logq.scatter_add(1, column, at::full({}, -beta, logq.options()).expand(column.sizes()));
  ToLogProbabilities(target);
  target.exp_();
  const at::Tensor loss = CrossEntropyOfRows(ToLogProbabilities(rows.values), target);
  // The derivative is softmax - target, by way of the untouched model's softmax.
  ToDifference(target, rows.tokens, lost);
  rows.values.exp_().sub_(rows.reference.exp_()).add_(target);
  return loss;
}

}  // namespace

extern const Objective kUndial;
const Objective kUndial = {
    .name = "undial",
    .formula = "mean_i mean_t CE(softmax(logits_t^ref - beta onehot(token_t)), softmax(logits_t))",
    .parameters = kUndialParameters,
    .retain_default = "none",
    .needs_reference = true,
    .open_unlearning = {.rows = Counting::Rows::kAllButLast},
    .kind = OnLogits{UndialLoss}};

}  // namespace grin
