#pragma once
// The training loop over selected weights: an objective on the forget set, another on the retain
// set, AdamW in between.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/model/decoder.h"
#include "grin/tune/accumulate.h"
#include "grin/tune/options.h"
#include "grin/tune/trainable.h"

namespace grin {

// How good the present weights are; higher is better. Called at most `times` times in a run, also
// after the last step. Empty `measure`: the last step is kept.
struct Judge {
  struct Verdict {
    double score = 0;
    Json figures;  // for the log
  };
  std::function<Verdict()> measure;
  int64_t times = 4;  // at most so often in a run, evenly spread, the last step included
};

struct TuneReport {
  int64_t steps = 0, kept_step = 0;
  int64_t tokens = 0;      // trained on
  double seconds = 0;
  std::string guard;       // why a guard stopped the run; empty when none did
  Json first, last;        // losses of the first and the last step
  std::vector<Json> log;   // one object per step
};

// Error (usage) for settings that make no sense.
void CheckStepOptions(const StepOptions& options);

// Trains `trainable` (entries of `model`) for --steps, or --epochs. Where a guard stops the run, or a
// judge prefers an earlier step, the weights go back to the best state that passed the guard; where
// every weight is trained without a judge, to the start. Every reported loss is the objective's own
// value, without its scale. Passes hold at most `pass_tokens` tokens; what they add
// up to does not depend on it. `log`, when set, gets each step's record at once.
TuneReport Tune(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
                const StepOptions& options, uint64_t seed, int64_t pass_tokens, const Judge& judge,
                const std::function<void(const Json&)>& log = {});

}  // namespace grin
