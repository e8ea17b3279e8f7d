#pragma once
// The tune stage of a task: which terms, what they compare with, and who judges.

#include <cstdint>
#include <memory>
#include <vector>

#include "grin/data/encode.h"
#include "grin/data/task.h"
#include "grin/tune/options.h"
#include "grin/tune/state_file.h"
#include "grin/tune/trade_off.h"
#include "grin/tune/tune.h"

namespace grin {

// Error (usage) for an unknown objective, one without what it needs, or a negative weight.
void CheckObjectiveOptions(const ObjectiveOptions& options);

// What the forget objective trains on: the forget sequences, weighted by --forget-tokens, or the
// forget prompts answered with refusals, drawn by seed, for an objective that wants those.
std::vector<Sequence> ObjectiveSequences(const Task& task, const Encoder& encoder,
                                         const ObjectiveOptions& options, uint64_t seed);

// The terms gamma * forget + alpha * retain over these sequences, which must outlive them. `seed` is
// that of a direction to steer to.
std::vector<LossTerm> MakeTerms(const std::vector<Sequence>& objective_sequences,
                                const std::vector<Sequence>& retain_sequences,
                                const ObjectiveOptions& options, uint64_t seed = 0);

// The stage before it runs. Prepare belongs before any noise: reference values and the judge's
// start are those of the untouched model.
class TunePlan {
 public:
  // Checks every setting and runs nothing. `model` and `task` must outlive this. Error (usage or
  // bad input) for a setting that cannot work.
  TunePlan(const Model& model, const Task& task, const Encoder& encoder,
           const ObjectiveOptions& objective, const StepOptions& steps, uint64_t seed,
           int64_t pass_tokens, const ForgetGradientOptions& forget = {});
  TunePlan(const TunePlan&) = delete;  // terms point into sequences
  TunePlan& operator=(const TunePlan&) = delete;

  // Takes reference values and the judge's start from the present weights, or from what an earlier
  // run stored. Error (bad input) for values that belong to other data.
  void Prepare();
  void Prepare(const StateFile& stored);
  // What Prepare found, to be stored.
  StateFile Prepared() const;

  // gamma * forget + alpha * retain.
  const std::vector<LossTerm>& terms() const { return terms_; }

  // Trains `trainable`. See Tune.
  TuneReport Run(Trainable& trainable, TuneHooks hooks = {}) const;

 private:
  const Model& model_;
  StepOptions steps_;
  uint64_t seed_;
  int64_t pass_tokens_;
  std::vector<Sequence> sequences_;  // what the forget objective trains on
  std::vector<LossTerm> terms_;
  ForgetGradientPlan forget_;
  std::unique_ptr<TradeOffJudge> judge_;  // null: the last step is kept
  TradeOffJudge::Start judge_start_;
  bool prepared_ = false;
};

// Plain fine-tuning on `sequences`, with the mean NLL as the loss.
TuneReport Finetune(const Model& model, Trainable& trainable,
                    const std::vector<Sequence>& sequences, const StepOptions& steps,
                    uint64_t seed, int64_t pass_tokens, TuneHooks hooks = {});

}  // namespace grin
