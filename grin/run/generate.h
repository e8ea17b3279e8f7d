#pragma once
// Continuations of prompts, as one call.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/run/options.h"
#include "grin/run/workspace.h"

namespace grin {

struct GenerateOptions {
  std::string prompt, data;
  int64_t max_new_tokens = 200;
  double temperature = 0;
  double top_p = 1.0;
  int64_t top_k = 0;
  double repetition_penalty = 1.0;
  int64_t batch_size = 0;
  OutputOptions output;  // JSON Lines; nothing is written where output.out is empty

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("prompt", prompt, "one prompt, put into the template");
    visit.List("data", data, "a file of prompts (its answers are shown beside, not used)");
    visit("max-new-tokens", max_new_tokens, "longest continuation");
    visit("temperature", temperature, "0: greedy; above: sampled");
    visit("top-p", top_p, "sample from the smallest set of tokens with this probability");
    visit("top-k", top_k, "sample from the k likeliest tokens; 0: all");
    visit("repetition-penalty", repetition_penalty,
          "divides the logits of tokens that were said before; 1: nothing");
    visit("batch-size", batch_size,
          "prompts continued at once; 0: as many as 1 GiB of keys and values holds, 8 to 128");
  }
};

// Error (usage) for settings that can be seen to be wrong before a model is opened.
void CheckGenerate(const GenerateOptions& options);

// One object for each prompt: {"prompt": ..., "generated": ..., "answer": (the data's), "tokens":
// [...], "ended": whether an end token was met}.
std::vector<Json> RunGenerate(const Workspace& workspace, const GenerateOptions& options);

}  // namespace grin
