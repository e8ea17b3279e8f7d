#include "grin/run/locate_fit.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "grin/base/error.h"
#include "grin/data/packing.h"
#include "grin/locate/digits.h"
#include "grin/model/footprint.h"
#include "grin/model/tensor_names.h"
#include "grin/run/budget.h"

namespace grin {
namespace {

// Weights that gradients are taken of.
struct ScoredSizes {
  ScoredSizes(const Model& model, const LocateOptions& options) {
    for (const std::string& name : ScoredNames(model, options)) {
      const int64_t size = model.weights->tensors().at(name).numel();
      all += size;
      largest = std::max(largest, size);
      if (const auto layer = PlaceOfWeight(name).layer) {
        by_block[*layer] += size;
      } else {
        outside += size;
      }
    }
  }

  // The most that so many neighbouring blocks have together.
  int64_t OfBlocks(int64_t count, int64_t blocks) const {
    int64_t most = outside;
    for (int64_t end = blocks; end > 0; end -= count) {
      int64_t sum = 0;
      for (int64_t i = std::max<int64_t>(0, end - count); i < end; ++i) {
        if (const auto found = by_block.find(i); found != by_block.end()) sum += found->second;
      }
      most = std::max(most, sum);
    }
    return most;
  }

  int64_t all = 0, largest = 0;
  int64_t outside = 0;  // of the blocks
  std::map<int64_t, int64_t> by_block;
};

// From the fastest to the one that takes least where the model computes.
std::vector<LocateMemory> Ways(const Model& model) {
  const bool on_host = model.weights->device().is_cpu();
  const int64_t layers = model.config.layers;
  std::vector<LocateMemory> ways = {{}};
  const auto by_blocks = [&](KeepPlace keep, bool streams_on_host) {
    for (int64_t blocks = 1; blocks < layers; blocks *= 2) {
      ways.push_back(
          {.blocks_at_a_time = blocks, .streams_on_host = streams_on_host, .keep = keep});
    }
  };
  for (const KeepPlace keep : {KeepPlace::kInPlace, KeepPlace::kHost, KeepPlace::kFile}) {
    if (on_host && keep == KeepPlace::kHost) continue;  // that is in place
    by_blocks(keep, false);
    if (!on_host) by_blocks(keep, true);
  }
  if (layers == 1) ways.push_back({.keep = KeepPlace::kFile});
  return ways;
}

}  // namespace

LocateWork LocateWorkOf(const Task& task, const LocateOptions& options, uint64_t seed) {
  LocateWork work;
  const auto measure = [&](const std::vector<Sequence>& sequences, const char* set) {
    LocateWork::Sample sample;
    for (const Sequence* sequence : SampleForLocate(sequences, options.locate_sample, seed, set)) {
      sample.tokens += static_cast<int64_t>(TokensRead(*sequence).size());
      sample.labels += static_cast<int64_t>(sequence->labels.size());
      work.longest = std::max(work.longest, sequence->length());
    }
    return sample;
  };
  work.forget = measure(task.forget_sequences, "forget");
  work.retain = measure(task.retain_sequences, "retain");
  return work;
}

namespace {

// Scores of the running top-k: about k (1 + ln(n / k)) of n, and their bound is a fourth too low at most.
// Scores that are no gradients' need not be spread so: of them all.
int64_t CandidateBytes(const LocateOptions& options, bool of_gradients, int64_t all) {
  const double share = options.threshold > 0 || !of_gradients ? 1 : options.share();
  return static_cast<int64_t>(4 * static_cast<double>(all) *
                              std::min(1.0, 1.25 * share * (1 - std::log(share))));
}

// What the gradients of one sample take beside what is kept of the other: sums, and a pass.
int64_t SampleBytes(const Model& model, const LocateWork::Sample& sample, const LocateWork& work,
                    const ScoredSizes& sizes, Statistic statistic, int64_t blocks,
                    int64_t pass_tokens) {
  const int64_t layers = model.config.layers;
  const int64_t sums = 4 * (blocks < layers ? sizes.OfBlocks(blocks, layers) : sizes.all);
  const bool whole_passes = statistic == Statistic::kMean;
  const int64_t tokens =
      std::min(whole_passes ? std::max(pass_tokens, work.longest) : work.longest, sample.tokens);
  // A weight's own gradient, where it is not added to the sum at once.
  const bool on_host = model.weights->device().is_cpu();
  const int64_t apart = whole_passes ? !on_host && model.weights->dtype() != at::kFloat : 2;
  const auto pass = [&](int64_t of_blocks) {
    return RecordedPassBytes(model, of_blocks, tokens, sample.labels, 4 * apart * sizes.largest);
  };
  // Sums begin when the first pass goes back, and grow as it gives up what it kept.
  const bool one_pass = tokens == sample.tokens;
  return one_pass ? std::max(pass(blocks), sums + pass(1)) : sums + pass(blocks);
}

}  // namespace

LocateFit MeasureLocate(const Model& model, const LocateOptions& options, const LocateWork& work,
                        const LocateMemory& memory, int64_t pass_tokens) {
  const ScoredSizes sizes(model, options);
  const ScoreMethod& method = FindScoreMethod(options.locate);
  const int64_t layers = model.config.layers, hidden = model.config.hidden;
  const bool on_host = model.weights->device().is_cpu();
  const bool in_parts = memory.blocks_at_a_time > 0 && memory.blocks_at_a_time < layers;
  const bool backward = method.needs_forget || method.needs_retain;
  LocateFit fit{.memory = memory, .pass_tokens = std::max(pass_tokens, work.longest)};

  // What waits for the other weights: the retain gradients, or scores.
  const int64_t kept = 4 * sizes.all;
  const bool kept_here =
      memory.keep == KeepPlace::kInPlace || (on_host && memory.keep == KeepPlace::kHost);
  // Scores that may be selected take less than the gradients that they follow, which they replace
  // on the host, but not in a file.
  if (memory.keep == KeepPlace::kHost && !on_host) fit.host_bytes += kept;
  if (memory.keep == KeepPlace::kFile) {
    fit.file_bytes += kept;
    (on_host ? fit.device_bytes : fit.host_bytes) += CandidateBytes(options, backward, sizes.all);
  }

  const Statistic statistic = StatisticOf(options);
  const int64_t blocks = in_parts ? memory.blocks_at_a_time : layers;
  const auto sample_bytes = [&](const LocateWork::Sample& sample, int64_t tokens) {
    return SampleBytes(model, sample, work, sizes, statistic, blocks, tokens);
  };
  const bool both = method.needs_forget && method.needs_retain;
  // Scoring a weight, and finding a threshold, on a device from temporaries of ATen: bytes per
  // entry. Where not all is in place, candidates are found piece by piece.
  const int64_t piece = std::min(sizes.largest, kDevicePiece);
  const int64_t scoring =
      memory.keep == KeepPlace::kInPlace ? (on_host ? 5 : 12) * sizes.largest
                                         : std::max(9 * sizes.largest, 24 * piece);
  // One set after the other. The sums of the first become what is kept; in parts that grows while
  // sums are there. Of one set alone they are kept, too.
  int64_t bytes = scoring + (kept_here ? kept : 0);
  if (method.needs_retain) {
    bytes = std::max(bytes, sample_bytes(work.retain, fit.pass_tokens) +
                                (in_parts && kept_here ? kept : 0));
  }
  if (method.needs_forget) {
    const int64_t tokens = both ? SecondPassTokens(model, fit.pass_tokens) : fit.pass_tokens;
    const int64_t beside = kept_here && (both || in_parts) ? kept : 0;
    bytes = std::max(bytes, beside + sample_bytes(work.forget, tokens));
    // Where nothing is in parts, all scores are made beside all sums.
    bytes = std::max(bytes, beside + (in_parts ? 0 : 4 * sizes.all) + scoring);
  }
  fit.device_bytes += bytes;
  // The residual stream before each group of blocks and its gradient, of all sequences.
  if (backward && in_parts) {
    const int64_t groups = (layers + memory.blocks_at_a_time - 1) / memory.blocks_at_a_time;
    const int64_t streams = std::max(work.forget.tokens, work.retain.tokens) * hidden *
                            (groups + 2) *
                            static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
    (memory.streams_on_host && !on_host ? fit.host_bytes : fit.device_bytes) += streams;
  }
  // The mask's bits.
  (on_host ? fit.device_bytes : fit.host_bytes) += sizes.all / 8;
  return fit;
}

LocateFit FitLocate(const Model& model, const LocateOptions& options, const LocateWork& work,
                    std::optional<int64_t> room, std::optional<int64_t> host_room) {
  const int64_t enough = std::max(EnoughRecordedTokens(model), work.longest);
  if (!room) return MeasureLocate(model, options, work, {}, enough);
  std::optional<LocateFit> least;
  for (int64_t tokens = enough;; tokens = std::max(tokens / 2, work.longest)) {
    for (const LocateMemory& way : Ways(model)) {
      const LocateFit fit = MeasureLocate(model, options, work, way, tokens);
      if (host_room && fit.host_bytes > *host_room && way.keep != KeepPlace::kFile) continue;
      if (fit.device_bytes <= *room) return fit;
      if (!least || fit.device_bytes < least->device_bytes) least = fit;
    }
    if (tokens <= work.longest) return *least;
  }
}

std::string DescribeFit(const Model& model, const LocateMemory& memory) {
  std::string text;
  if (memory.blocks_at_a_time > 0) {
    text = fmt::format("gradients of {} of {} blocks at a time", memory.blocks_at_a_time,
                       model.config.layers);
  }
  if (memory.keep != KeepPlace::kInPlace) {
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ",
                        text.empty() ? "gradients" : "the others'",
                        memory.keep == KeepPlace::kHost ? "the host's memory" : "a file in TMPDIR");
  }
  return text;
}

}  // namespace grin
