#pragma once
// The generation engine: continuous batching over a key-value cache. A finished row leaves at once
// and the next prompt takes its place.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/model/decoder.h"

namespace grin {

struct GenerationOptions {
  int64_t max_new_tokens = 200;
  double temperature = 0.0;  // 0: greedy
  double top_p = 1.0;        // sampled: the smallest set of tokens that holds this probability
  int64_t top_k = 0;         // sampled: only the k likeliest; 0: all
  uint64_t seed = 0;         // a prompt's draws depend on seed and its index alone
  int64_t batch_size = 32;
  std::string progress;      // label of a progress bar; none when empty
};

struct Generated {
  std::vector<int32_t> tokens;  // without the end token
  bool ended = false;           // met an end token before the limit
};

// Continues each prompt (token ids, not empty) until one of `end_tokens`, max_new_tokens or the
// model's context. Results are in the order of the prompts.
std::vector<Generated> Generate(const Model& model,
                                const std::vector<std::vector<int32_t>>& prompts,
                                const std::vector<int32_t>& end_tokens,
                                const GenerationOptions& options = {});

}  // namespace grin
