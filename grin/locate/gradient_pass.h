#pragma once
// The influence pass: gradients of a set's mean NLL, accumulated per weight in fp32.

#include <cstdint>
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
};

// For each named weight, over the sequences i of the set, with g_i the gradient of the mean NLL of
// the labels of i:
//   mean  (1/S) sum_i g_i        one backward pass per packed batch
//   abs   (1/S) sum_i |g_i|      one per sequence
//   rms   sqrt((1/S) sum_i g_i^2)
// fp32 tensors in the weights' shapes, in the order of the names.
std::vector<ScoreTensor> AccumulateGradients(const Model& model,
                                             std::span<const Sequence* const> sequences,
                                             const std::vector<std::string>& names,
                                             const GradientPassOptions& options);

}  // namespace grin
