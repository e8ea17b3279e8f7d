#include "grin/tune/selected_importance.h"

#include <numeric>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"
#include "grin/tune/accumulate.h"
#include "grin/tune/gather_sink.h"

namespace grin {

at::Tensor SelectedStatistic(const Model& model, Trainable& trainable,
                             std::span<const Sequence* const> sequences, Statistic statistic,
                             int64_t pass_tokens, const std::string& progress) {
  std::vector<Sequence> set;
  for (const Sequence* sequence : sequences) set.push_back(*sequence);
  for (Sequence& sequence : set) sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  const LossTerm term{
      .name = "set", .objective = &FindRetainObjective("nll"), .sequences = &set};
  GatherSink sink(trainable);
  at::Tensor& gradient = trainable.arena().gradient;
  gradient.zero_();
  at::Tensor sum = at::zeros_like(gradient);
  std::vector<int64_t> costs;
  for (const Sequence& sequence : set) costs.push_back(sequence.length());
  const auto dealt = DealOut(costs, model.ranks->parts());
  Progress shown(progress, static_cast<int64_t>(set.size()));
  int64_t tokens = 0;
  SumOverParts(model, {sum}, tokens, [&](StepPart part, int64_t& run) {
    for (const int64_t i : dealt[part.number]) {
      ThrowIfInterrupted();
      const std::vector<int64_t> one = {i};
      Accumulate(model, term, one, pass_tokens, &sink, run);
      if (statistic != Statistic::kMean) {  // else the sum of the gradients is what is wanted
        sum.add_(statistic == Statistic::kRms ? gradient.square() : gradient.abs());
        gradient.zero_();
      }
      shown.Add(model.ranks->world());
    }
    if (statistic == Statistic::kMean) sum.add_(gradient);
    gradient.zero_();
    return std::vector<at::Tensor>();
  });
  sum.div_(static_cast<double>(set.size()));
  return statistic == Statistic::kRms ? sum.sqrt_() : sum;
}

}  // namespace grin
