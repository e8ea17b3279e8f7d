#pragma once
// The tune stage made ready on the untouched model.

#include <string>
#include <vector>

#include "grin/data/task.h"
#include "grin/tune/options.h"
#include "grin/tune/tune.h"

namespace grin {

// What the forget objective trains on: the forget sequences, weighted by --forget-tokens, or the
// forget prompts answered with refusals, drawn by seed, for an objective that wants those.
std::vector<Sequence> ObjectiveSequences(const Task& task, const Encoder& encoder,
                                         const ObjectiveOptions& options, uint64_t seed);

// The terms gamma * forget + alpha * retain over these sequences, which must outlive them. Error
// (usage) for an unknown objective or a negative weight.
std::vector<LossTerm> MakeTerms(const std::vector<Sequence>& objective_sequences,
                                const std::vector<Sequence>& retain_sequences,
                                const ObjectiveOptions& options);

// The tune stage made ready on the untouched model: what it trains on, reference values, and the
// judge's starting point. Made before any noise.
class TunePlan {
 public:
  // Checks every setting. Error (usage or bad input) for one that cannot work.
  TunePlan(const Model& model, const Task& task, const Encoder& encoder,
           const ObjectiveOptions& objective, const StepOptions& steps, uint64_t seed,
           int64_t pass_tokens);
  TunePlan(const TunePlan&) = delete;  // terms point into sequences
  TunePlan& operator=(const TunePlan&) = delete;

  // gamma * forget + alpha * retain.
  const std::vector<LossTerm>& terms() const { return terms_; }

  // Trains `trainable`. See Tune.
  TuneReport Run(Trainable& trainable, const std::function<void(const Json&)>& log = {}) const;

 private:
  const Model& model_;
  StepOptions steps_;
  uint64_t seed_;
  int64_t pass_tokens_;
  std::vector<Sequence> sequences_;  // what the forget objective trains on
  std::vector<LossTerm> terms_;
  Judge judge_;
};

// Plain fine-tuning on `sequences`, with the mean NLL as the loss.
TuneReport Finetune(const Model& model, Trainable& trainable,
                    const std::vector<Sequence>& sequences, const StepOptions& steps,
                    uint64_t seed, int64_t pass_tokens);

}  // namespace grin
