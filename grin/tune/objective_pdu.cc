// PDU (Entesari et al. 2025, arXiv 2506.05314): the logits are flattened, and the weight of the
// retain loss is the dual variable of the constraint that it stays below a limit. Defaults are
// those of its public TOFU runs.

#include "grin/tune/objective.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kMarginFlatteningParameters[] = {
    {"retain-limit", 0.3,
     "what the retain loss is to stay below, in nats; a little above its start"},
    {"dual-rate", 5, "the weight of the retain loss grows by this times its excess at each step"},
    {"dual-warmup", 0.5, "share of the steps during which that weight stays at alpha"}};

// The derivative of the largest logit is that of the first of equals.
at::Tensor MarginFlatteningLoss(RowValues& rows, const ObjectiveSettings&) {
  const auto [largest, at_largest] = rows.values.max(/*dim=*/1, /*keepdim=*/true);  // [c, 1]
  const at::Tensor margin = largest - rows.values.mean(/*dim=*/1, /*keepdim=*/true);
  const at::Tensor slope = 2 * margin;
  rows.values.copy_(
      slope.neg().div_(static_cast<double>(rows.values.size(1))).expand_as(rows.values));
  rows.values.scatter_add_(1, at_largest, slope);
  return margin.square().squeeze(1);
}

}  // namespace

extern const Objective kMarginFlattening;
const Objective kMarginFlattening = {
    .name = "pdu",
    .formula = "mean_i mean_t (max logit - mean logit)^2, with a dual weight on the retain loss",
    .parameters = kMarginFlatteningParameters,
    .alpha = 100,
    .dual_retain = true,
    .open_unlearning = {.rows = Counting::Rows::kOfLabels, .mean = Counting::Mean::kTokens},
    .kind = OnLogits{MarginFlatteningLoss}};

}  // namespace grin
