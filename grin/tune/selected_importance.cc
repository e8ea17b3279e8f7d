#include "grin/tune/selected_importance.h"

#include <numeric>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
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
  Progress shown(progress, static_cast<int64_t>(set.size()));
  int64_t tokens = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(set.size()); ++i) {
    ThrowIfInterrupted();
    const std::vector<int64_t> one = {i};
    Accumulate(model, term, one, pass_tokens, &sink, tokens);
    if (statistic != Statistic::kMean) {  // else the sum of the gradients is what is wanted
      sum.add_(statistic == Statistic::kRms ? gradient.square() : gradient.abs());
      gradient.zero_();
    }
    shown.Add(1);
  }
  if (statistic == Statistic::kMean) sum.copy_(gradient);
  gradient.zero_();
  sum.div_(static_cast<double>(set.size()));
  return statistic == Statistic::kRms ? sum.sqrt_() : sum;
}

}  // namespace grin
