#pragma once
// The tune stage of a task: which terms, what they compare with, and who judges.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grin/data/encode.h"
#include "grin/data/task.h"
#include "grin/tune/alternates.h"
#include "grin/tune/options.h"
#include "grin/tune/state_file.h"
#include "grin/tune/trade_off.h"
#include "grin/tune/tune.h"

namespace grin {

// Error (usage) for an unknown objective, one without what it needs, or a negative weight.
void CheckObjectiveOptions(const ObjectiveOptions& options);

// The terms gamma * forget + alpha * retain over these sequences, which must outlive them and must
// be counted as OpenUnlearning does where that is asked for (CountRows). `seed` is that of a
// direction to steer to. Options need not be resolved.
std::vector<LossTerm> MakeTerms(const std::vector<Sequence>& forget_sequences,
                                const std::vector<Sequence>& retain_sequences,
                                const ObjectiveOptions& options, uint64_t seed = 0,
                                bool open_unlearning = false);

// Weights by name, and how many of each may be selected.
using Selectable = std::vector<std::pair<std::string, int64_t>>;
Selectable SelectableOf(const Mask& mask);

// The stage before it runs. Prepare belongs before any noise: reference values and the judge's
// start are those of the untouched model.
class TunePlan {
 public:
  // Checks every setting and runs nothing. `model`, `task` and `encoder` must outlive this. Error
  // (usage or bad input) for a setting that cannot work.
  TunePlan(const Model& model, const Task& task, const Encoder& encoder,
           const ObjectiveOptions& objective, const StepOptions& steps, uint64_t seed,
           int64_t pass_tokens, const ForgetGradientOptions& forget = {});
  TunePlan(const TunePlan&) = delete;  // terms point into sequences
  TunePlan& operator=(const TunePlan&) = delete;

  // Where no term runs the whole model: a warning that tells how many of the weights that may be
  // selected lie beyond the reach of the gradient, and Error (usage) where all do.
  void CheckReach(const Selectable& weights) const;

  // Takes the model's own alternate answers, reference values and the judge's start from the
  // present weights, or from what an earlier run stored. Error (bad input) for values that belong
  // to other data.
  void Prepare();
  void Prepare(const StateFile& stored);
  // What Prepare found, to be stored.
  StateFile Prepared() const;

  // gamma * forget + alpha * retain; once prepared.
  const std::vector<LossTerm>& terms() const { return terms_; }

  // Trains `trainable`. See Tune.
  TuneReport Run(Trainable& trainable, TuneHooks hooks = {}) const;

 private:
  void MakeSequences();

  const Model& model_;
  const Task& task_;
  const Encoder& encoder_;
  ObjectiveOptions options_;
  StepOptions steps_;
  uint64_t seed_;
  int64_t pass_tokens_;
  Alternates alternates_;            // of altpo
  bool makes_alternates_ = false;    // by the model
  std::vector<Sequence> sequences_;  // what the forget objective trains on
  std::vector<Sequence> retain_;     // what the retain objective trains on
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
