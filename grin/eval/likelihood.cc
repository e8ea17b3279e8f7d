#include "grin/eval/likelihood.h"

#include <cmath>
#include <numeric>
#include <optional>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"

namespace grin {
namespace {

template <typename T>
std::vector<T> Slice(const at::Tensor& values, int64_t begin, int64_t end) {
  const T* data = values.const_data_ptr<T>();
  return {data + begin, data + end};
}

}  // namespace

double SequenceScores::Probability() const {
  const double sum = std::accumulate(logp.begin(), logp.end(), 0.0);
  return logp.empty() ? 0.0 : std::exp(sum / static_cast<double>(logp.size()));
}

std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           std::span<const Sequence* const> sequences,
                                           const LikelihoodOptions& options) {
  std::vector<SequenceScores> results(sequences.size());
  int64_t total = 0;
  for (const Sequence* sequence : sequences) total += sequence->length();
  std::optional<Progress> progress;
  if (!options.progress.empty()) progress.emplace(options.progress, total);

  const HeadOptions head{.argmax = options.argmax, .moments = options.moments};
  for (const auto& pass : PlanPasses(sequences, options.pass_tokens)) {
    ThrowIfInterrupted();
    const PackedBatch batch = Pack(Select(sequences, pass), model.weights->device());
    const LabelScores scores = ScoreBatch(model, batch, nullptr, head);
    const at::Tensor logp = scores.logp.cpu();
    const auto on_cpu = [](const at::Tensor& t) { return t.defined() ? t.cpu() : t; };
    const at::Tensor argmax = on_cpu(scores.argmax), mean = on_cpu(scores.mean),
                     variance = on_cpu(scores.variance);
    for (size_t s = 0; s < pass.size(); ++s) {
      SequenceScores& result = results[pass[s]];
      const int64_t begin = batch.label_offsets[s], end = batch.label_offsets[s + 1];
      result.logp = Slice<float>(logp, begin, end);
      if (options.argmax) {
        for (const int64_t id : Slice<int64_t>(argmax, begin, end)) {
          result.argmax.push_back(static_cast<int32_t>(id));
        }
      }
      if (options.moments) {
        result.mean = Slice<float>(mean, begin, end);
        result.variance = Slice<float>(variance, begin, end);
      }
      if (options.on_scored) options.on_scored(pass[s], result);
    }
    if (progress) progress->Add(batch.tokens.size(0));
  }
  return results;
}

std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           const std::vector<Sequence>& sequences,
                                           const LikelihoodOptions& options) {
  return ScoreSequences(model, Pointers(sequences), options);
}

}  // namespace grin
