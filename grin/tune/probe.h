#pragma once
// The locality probe: does shaking the mask alone hurt what is to be forgotten, and only that?

#include "grin/data/task.h"
#include "grin/locate/mask.h"
#include "grin/model/decoder.h"

namespace grin {

struct ProbeResult {
  double forget_left = 0, retain_left = 0;  // share of the mean answer probability that is left
};

// Adds Gaussian noise of one standard deviation of each weight tensor at the mask, scores both
// sets (at most 256 sequences of each), and puts the weights back.
ProbeResult ProbeLocality(const Model& model, const Mask& mask, const Task& task, uint64_t seed,
                          int64_t pass_tokens);

}  // namespace grin
