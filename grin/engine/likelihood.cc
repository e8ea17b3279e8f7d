#include "grin/engine/likelihood.h"

#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/data/shared_prefix.h"

namespace grin {
namespace {

template <typename T>
std::vector<T> Slice(const at::Tensor& values, int64_t begin, int64_t end) {
  const T* data = values.const_data_ptr<T>();
  return {data + begin, data + end};
}

struct Pass {
  std::vector<int64_t> order;  // numbers of its sequences, as their labels lie in the batch
  std::function<PackedBatch()> pack;
};

std::vector<Pass> Plan(const Model& model, std::span<const Sequence* const> sequences,
                       const LikelihoodOptions& options) {
  const at::Device device = model.weights->device();
  std::vector<Pass> passes;
  if (options.share_prefixes && !RowsDependOnLength(model)) {
    for (const auto& members : PlanSharedPasses(sequences, options.pass_tokens)) {
      passes.push_back({members, [=] { return PackShared(sequences, members, device); }});
    }
    return passes;
  }
  for (const auto& numbers : PlanPasses(sequences, options.pass_tokens)) {
    passes.push_back({numbers, [=] { return Pack(Select(sequences, numbers), device); }});
  }
  return passes;
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

  const auto [argmax_wanted, moments_wanted, serial_wanted] = options.extras;
  const HeadOptions head{
      .argmax = argmax_wanted, .moments = moments_wanted, .serial = serial_wanted};
  for (const Pass& pass : Plan(model, sequences, options)) {
    ThrowIfInterrupted();
    const PackedBatch batch = pass.pack();
    const LabelScores scores = ScoreBatch(model, batch, nullptr, head);
    const at::Tensor logp = scores.logp.cpu();
    const auto on_cpu = [](const at::Tensor& t) { return t.defined() ? t.cpu() : t; };
    const at::Tensor argmax = on_cpu(scores.argmax), mean = on_cpu(scores.mean),
                     variance = on_cpu(scores.variance), serial = on_cpu(scores.serial);
    int64_t done = 0;
    for (size_t s = 0; s < pass.order.size(); ++s) {
      const int64_t number = pass.order[s];
      SequenceScores& result = results[number];
      done += sequences[number]->length();
      const int64_t begin = batch.label_offsets[s], end = batch.label_offsets[s + 1];
      result.logp = Slice<float>(logp, begin, end);
      if (argmax_wanted) {
        for (const int64_t id : Slice<int64_t>(argmax, begin, end)) {
          result.argmax.push_back(static_cast<int32_t>(id));
        }
      }
      if (moments_wanted) {
        result.mean = Slice<float>(mean, begin, end);
        result.variance = Slice<float>(variance, begin, end);
      }
      if (serial_wanted) result.serial = Slice<float>(serial, begin, end);
      if (options.on_scored) options.on_scored(number, result);
    }
    if (progress) progress->Add(done);
  }
  return results;
}

std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           const std::vector<Sequence>& sequences,
                                           const LikelihoodOptions& options) {
  return ScoreSequences(model, Pointers(sequences), options);
}

}  // namespace grin
