// JensUn (Singh et al. 2025, arXiv 2509.02820): the Jensen-Shannon divergence, which is bounded by
// log 2, from a refusal on the forget set and from the untouched model on the retain set.

#include <numbers>

#include "grin/base/error.h"
#include "grin/tune/on_logits.h"
#include "grin/tune/on_logp.h"

namespace grin {
namespace {

// From a distribution that is all in one token it depends on that token's p alone:
// log 2 + (p log p - (1 + p) log(1 + p)) / 2, whose derivative by log p is p (log p - log(1 + p))
// / 2.
LossAndGradient RefusalDivergenceLoss(const TokenValues& values, const ObjectiveSettings&) {
  return OfTokens(values, [](const at::Tensor& logp) {
    const at::Tensor p = logp.exp(), more = p.log1p();
    const at::Tensor impossible = p.eq(0);
    const at::Tensor part = (p * logp).masked_fill(impossible, 0);  // p log p
    return TokenLosses{(part - (1 + p) * more) / 2 + std::numbers::ln2, (part - p * more) / 2};
  });
}

// With m = (p + q) / 2: (KL(p || m) + KL(q || m)) / 2. Its derivative by p_v is log(p_v / m_v) / 2.
at::Tensor ReferenceDivergenceLoss(RowValues& rows, const ObjectiveSettings&) {
  if (!rows.reference.defined()) Defect("tune", "js got no logits of the reference");
  const at::Tensor logp = ToLogProbabilities(rows.values);
  const at::Tensor logq = ToLogProbabilities(rows.reference);
  // log m = log((e^logp + e^logq) / 2), taken from the larger of the two.
  const at::Tensor logm = at::logaddexp(logp, logq).sub_(std::numbers::ln2);
  const auto from_middle = [&](const at::Tensor& log_one) {  // 0 where the probability is 0
    return log_one.sub(logm).masked_fill_(log_one.isneginf(), 0);
  };
  at::Tensor of_p = from_middle(logp);
  const at::Tensor of_q = from_middle(logq);
  rows.values.exp_();
  const at::Tensor p_side = of_p.mul_(rows.values);  // p log(p / m)
  const at::Tensor p_sum = p_side.sum(-1);
  const at::Tensor loss = of_q.mul_(rows.reference.exp_()).sum(-1).add_(p_sum).div_(2);
  rows.values.mul_(p_sum.unsqueeze(1)).neg_().add_(p_side).div_(2);
  return loss;
}

}  // namespace

extern const Objective kJensenShannonRefusal;
const Objective kJensenShannonRefusal = {.name = "jensun",
                                         .formula = "mean_i mean_t JS(p_t, onehot(refusal_t))",
                                         .retain_default = "js",
                                         .answers = Answers::kRefusalTargets,
                                         .kind = OnLogp{RefusalDivergenceLoss}};

extern const Objective kJensenShannonFromReference;
const Objective kJensenShannonFromReference = {.name = "js",
                                               .formula = "mean_i mean_t JS(p_t, p_t^ref)",
                                               .needs_reference = true,
                                               .kind = OnLogits{ReferenceDivergenceLoss}};

}  // namespace grin
