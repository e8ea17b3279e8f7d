// UNDIAL (Dong et al. 2024, arXiv 2402.10052): distilled from the untouched model with the logit of
// the token to be forgotten lowered. By itself, for it brings the rest along.

#include "grin/base/error.h"
#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kUndialParameters[] = {
    {"beta", 10, "how far the teacher's logit of the token is lowered"}};

at::Tensor UndialLoss(RowValues& rows, const ObjectiveSettings& settings) {
  if (!rows.reference.defined()) Defect("tune", "undial got no logits of the reference");
  const at::Tensor column = rows.tokens.unsqueeze(1);  // [c, 1]
  rows.reference.scatter_add_(
      1, column, at::full({}, -settings["beta"], rows.reference.options()).expand(column.sizes()));
  ToLogProbabilities(rows.reference);
  return CrossEntropyOfRows(rows.values, rows.reference.exp_());
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
