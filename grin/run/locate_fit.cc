#include "grin/run/locate_fit.h"

#include <algorithm>
#include <map>

#include "grin/base/error.h"
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
  for (const auto& [name, sequences] :
       {std::pair("forget", &task.forget_sequences), std::pair("retain", &task.retain_sequences)}) {
    int64_t tokens = 0;
    for (const Sequence* sequence :
         SampleForLocate(*sequences, options.locate_sample, seed, name)) {
      const auto length = static_cast<int64_t>(sequence->tokens.size());
      tokens += length;
      work.longest = std::max(work.longest, length);
    }
    work.tokens = std::max(work.tokens, tokens);
  }
  return work;
}

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
  if (memory.keep == KeepPlace::kInPlace) fit.device_bytes += kept;
  if (memory.keep == KeepPlace::kHost) (on_host ? fit.device_bytes : fit.host_bytes) += kept;
  if (memory.keep == KeepPlace::kFile) fit.file_bytes += kept;

  // Sums that a pass adds to: of the second set beside what is kept of the first; of one set alone
  // they are what is kept.
  int64_t sums = 0;
  if (in_parts) {
    sums = 4 * sizes.OfBlocks(memory.blocks_at_a_time, layers);
  } else if ((method.needs_forget && method.needs_retain) || memory.keep != KeepPlace::kInPlace) {
    sums = backward ? kept : 0;
  }

  // A pass: what it records, and of one weight the pass's own gradient, if that is not added at
  // once.
  int64_t pass = 0;
  if (backward) {
    const Statistic statistic = StatisticOf(options);
    const int64_t tokens =
        std::min(statistic == Statistic::kMean ? fit.pass_tokens : work.longest, work.tokens);
    const int64_t apart = statistic != Statistic::kMean ? 2 : !on_host;
    pass = tokens * RecordedBytesPerToken(model, in_parts ? memory.blocks_at_a_time : layers) +
           4 * apart * sizes.largest;
  }
  // The residual stream before each group of blocks and its gradient, of all sequences.
  if (backward && in_parts) {
    const int64_t groups = (layers + memory.blocks_at_a_time - 1) / memory.blocks_at_a_time;
    const int64_t streams = work.tokens * hidden * (groups + 2) *
                            static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
    (memory.streams_on_host && !on_host ? fit.host_bytes : fit.device_bytes) += streams;
  }
  // Scoring a weight, and finding a threshold, on a device from temporaries of ATen: bytes per
  // entry.
  const int64_t scoring = (on_host                              ? 5
                           : memory.keep == KeepPlace::kInPlace ? 12
                                                                : 9) *
                          sizes.largest;
  fit.device_bytes += sums + std::max(pass, scoring);
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
