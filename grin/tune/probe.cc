#include "grin/tune/probe.h"

#include <algorithm>

#include "grin/data/packing.h"
#include "grin/engine/likelihood.h"
#include "grin/tune/perturb_stage.h"

namespace grin {
namespace {

double MeanProbability(const Model& model, const std::vector<Sequence>& sequences,
                       int64_t pass_tokens, const char* label) {
  constexpr size_t kSample = 256;
  auto sample = Pointers(sequences);
  sample.resize(std::min(sample.size(), kSample));
  double sum = 0;
  for (const SequenceScores& scores :
       ScoreSequences(model, sample, {.pass_tokens = pass_tokens, .progress = label})) {
    sum += scores.Probability();
  }
  return sum / static_cast<double>(sample.size());
}

}  // namespace

ProbeResult ProbeLocality(const Model& model, const Mask& mask, const Task& task, uint64_t seed,
                          int64_t pass_tokens) {
  const auto measure = [&](const char* when) {
    return std::pair(
        MeanProbability(model, task.forget_sequences, pass_tokens,
                        fmt::format("probe: forget, {}", when).c_str()),
        MeanProbability(model, task.retain_sequences, pass_tokens,
                        fmt::format("probe: retain, {}", when).c_str()));
  };
  const auto [forget_before, retain_before] = measure("before");
  Trainable trainable(model, mask);
  const auto untouched = trainable.Snapshot();
  Perturb(model, trainable, {.perturb = "gaussian", .noise = 1.0}, seed);
  const auto [forget_after, retain_after] = measure("after");
  trainable.Restore(untouched);
  return {forget_after / std::max(forget_before, 1e-12),
          retain_after / std::max(retain_before, 1e-12)};
}

}  // namespace grin
