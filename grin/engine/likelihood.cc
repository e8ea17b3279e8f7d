#include "grin/engine/likelihood.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/data/shared_prefix.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"

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

// What falls to this process of the passes, which several processes make smaller, so that all have some.
std::vector<Pass> OwnPasses(const Model& model, std::span<const Sequence* const> sequences,
                            LikelihoodOptions options) {
  const Ranks& ranks = *model.ranks;
  if (ranks.alone()) return Plan(model, sequences, options);
  constexpr int64_t kPassesEach = 4, kLeastTokens = 256;
  int64_t total = 0;
  for (const Sequence* sequence : sequences) total += sequence->length();
  options.pass_tokens =
      std::min(options.pass_tokens, std::max(kLeastTokens, total / (kPassesEach * ranks.world())));
  std::vector<Pass> all = Plan(model, sequences, options), own;
  std::vector<int64_t> costs;
  for (const Pass& pass : all) {
    costs.push_back(0);
    for (const int64_t i : pass.order) costs.back() += sequences[i]->length();
  }
  const auto dealt = DealOut(costs, ranks.world());
  for (const int64_t i : dealt[ranks.rank()]) own.push_back(std::move(all[i]));
  return own;
}

template <typename T>
void AppendValues(std::string& bytes, const std::vector<T>& values) {
  const auto count = static_cast<int64_t>(values.size());
  bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <typename T>
std::vector<T> TakeValues(std::string_view& bytes) {
  int64_t count = 0;
  std::memcpy(&count, bytes.data(), sizeof count);
  std::vector<T> values(count);
  bytes.remove_prefix(sizeof count);
  if (count > 0) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  bytes.remove_prefix(values.size() * sizeof(T));
  return values;
}

// Puts what the other processes have scored into `results`.
void ShareScores(const Ranks& ranks, const std::vector<Pass>& own, std::vector<SequenceScores>& results,
                 const LikelihoodOptions& options) {
  std::string bytes;
  for (const Pass& pass : own) {
    for (const int64_t i : pass.order) {
      const SequenceScores& scores = results[i];
      AppendValues(bytes, std::vector<int64_t>{i});
      AppendValues(bytes, scores.logp);
      AppendValues(bytes, scores.argmax);
      AppendValues(bytes, scores.mean);
      AppendValues(bytes, scores.variance);
      AppendValues(bytes, scores.serial);
    }
  }
  const std::vector<std::string> all = ranks.Gather(bytes);
  for (int64_t rank = 0; rank < ranks.world(); ++rank) {
    if (rank == ranks.rank()) continue;
    for (std::string_view rest = all[rank]; !rest.empty();) {
      const auto number = static_cast<size_t>(TakeValues<int64_t>(rest).at(0));
      SequenceScores& scores = results[number];
      scores.logp = TakeValues<float>(rest);
      scores.argmax = TakeValues<int32_t>(rest);
      scores.mean = TakeValues<float>(rest);
      scores.variance = TakeValues<float>(rest);
      scores.serial = TakeValues<float>(rest);
      if (options.on_scored) options.on_scored(number, scores);
    }
  }
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
  const std::vector<Pass> passes = OwnPasses(model, sequences, options);
  int64_t total = 0;
  for (const Pass& pass : passes) {
    for (const int64_t i : pass.order) total += sequences[i]->length();
  }
  std::optional<Progress> progress;
  if (!options.progress.empty()) progress.emplace(options.progress, total);

  const auto [argmax_wanted, moments_wanted, serial_wanted] = options.extras;
  const HeadOptions head{
      .argmax = argmax_wanted, .moments = moments_wanted, .serial = serial_wanted};
  for (const Pass& pass : passes) {
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
  if (!model.ranks->alone()) ShareScores(*model.ranks, passes, results, options);
  return results;
}

std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           const std::vector<Sequence>& sequences,
                                           const LikelihoodOptions& options) {
  return ScoreSequences(model, Pointers(sequences), options);
}

}  // namespace grin
