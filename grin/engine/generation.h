#pragma once
// The generation engine: continuous batching over a key-value cache. A finished row leaves at once
// and the next prompt takes its place.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "grin/model/decoder.h"

namespace grin {

struct Generated {
  std::vector<int32_t> tokens;  // without the end token
  bool ended = false;           // met an end token before the limit
};

struct GenerationOptions {
  int64_t max_new_tokens = 200;
  double temperature = 0.0;  // 0: greedy
  double top_p = 1.0;        // sampled: the smallest set of tokens that holds this probability
  int64_t top_k = 0;         // sampled: only the k likeliest; 0: all
  // Takes from what was said before: the logits of tokens that stand in the prompt or were added
  // are divided by this where they are positive, else multiplied (Keskar et al. 2019, as in
  // transformers). 1: nothing.
  double repetition_penalty = 1.0;
  std::vector<int32_t> said;  // counts as said before, whatever the prompt
  uint64_t seed = 0;          // a prompt's draws depend on seed and its number alone
  uint64_t first_number = 0;  // of the first prompt, where these are part of more
  std::vector<uint64_t> numbers;  // of each prompt, where they do not follow each other
  int64_t batch_size = 0;     // prompts continued at once; 0: by what 1 GiB of keys and values
                              // holds, 8 GiB on a card
  // Most bytes of keys and values at one time; 0: no limit. Fewer prompts are continued at once to
  // keep it. Error (memory) where one prompt alone takes more.
  int64_t cache_bytes = 0;
  int64_t prefill_tokens = 0;  // most tokens of prompts in one pass, or one prompt; 0: no limit
  // Goes on beyond the model's context, as transformers does, where the positions allow it.
  bool past_context = false;
  // Ends a row whose tokens so far it accepts, besides the end tokens.
  std::function<bool(std::span<const int32_t>)> stop;
  // Called with each prompt's number and result as soon as it is finished.
  std::function<void(size_t, const Generated&)> on_finished;
  // Called after each step with how many more of the prompts' max_new_tokens are done: added, or
  // no longer needed.
  std::function<void(int64_t)> on_tokens;
  std::string progress;  // label of a progress bar; none when empty
};

// Continues each prompt (token ids, not empty) until one of `end_tokens`, `stop`, max_new_tokens or
// the model's context. Results are in the order of the prompts. The processes that have the model
// (Model::ranks) share out the prompts, and all get all results; callbacks with those of others come at
// the end.
std::vector<Generated> Generate(const Model& model,
                                const std::vector<std::vector<int32_t>>& prompts,
                                const std::vector<int32_t>& end_tokens,
                                const GenerationOptions& options = {});

}  // namespace grin
