#pragma once
// The influence pass: gradients of a set's mean NLL, accumulated per weight in fp32.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/locate/score.h"
#include "grin/locate/top_k.h"
#include "grin/model/decoder.h"

namespace grin {

struct GradientPassOptions {
  Statistic statistic = Statistic::kMean;
  int64_t pass_tokens = 1024;
  std::string progress;  // label of a progress bar; none when empty
  int64_t blocks_at_a_time = 0;  // as in LocateMemory
  bool streams_on_host = false;  // as in LocateMemory
};

// For each named weight, over the sequences i of the set, with g_i the gradient of the mean NLL of
// the labels of i:
//   mean  (1/S) sum_i g_i        one backward pass per packed batch
//   abs   (1/S) sum_i |g_i|      one per sequence
//   rms   sqrt((1/S) sum_i g_i^2)
// fp32 tensors in the weights' shapes. `take` is given each once, with the weight's place among the
// names: as soon as it is known, and in no order that may be relied on. The numbers are the same to the
// bit whatever blocks_at_a_time.
using TakeGradient = std::function<void(size_t index, at::Tensor values)>;
void VisitGradients(const Model& model, std::span<const Sequence* const> sequences,
                    const std::vector<std::string>& names, const GradientPassOptions& options,
                    const TakeGradient& take);

// The same, all at once and in the order of the names.
std::vector<ScoreTensor> AccumulateGradients(const Model& model,
                                             std::span<const Sequence* const> sequences,
                                             const std::vector<std::string>& names,
                                             const GradientPassOptions& options);

}  // namespace grin
