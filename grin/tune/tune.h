#pragma once
// The training loop over selected weights: an objective on the forget set, another on the retain
// set, AdamW in between.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/model/decoder.h"
#include "grin/tune/accumulate.h"
#include "grin/tune/draw.h"
#include "grin/tune/gather_sink.h"
#include "grin/tune/optimiser.h"
#include "grin/tune/options.h"
#include "grin/tune/rehearsal.h"
#include "grin/tune/surgery.h"
#include "grin/tune/token_scorer.h"
#include "grin/tune/trainable.h"
#include "grin/tune/tune_state.h"

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

// Error (usage) where a surgery has no retain gradient to compare the first term's with.
void CheckSurgery(const Surgery& surgery, const std::vector<LossTerm>& terms);

// What a state says of its run.
TuneReport ReportOf(const TuneState& state);

// How the forget gradient, that of the term named "forget", is found and what becomes of it.
struct ForgetGradientPlan {
  ForgetGradientOptions options;
  LossTerm relearn;  // what a rehearsal learns; its sequences are needed with --rehearse
};

// Error (usage) for settings that make no sense.
void CheckStepOptions(const StepOptions& options);

// A run, step by step. Between two steps it is its TuneState: a Tuner made in the same way that
// goes on from it does the very same steps. Every reported loss is the objective's own value,
// without its scale.
class Tuner {
 public:
  // Trains `trainable`, entries of `model`; both must outlive this, and so must the sequences of
  // the terms. Passes hold at most `pass_tokens` tokens; what they add up to does not depend on it.
  // Reference values that a term lacks are taken from the present weights. Error (usage or bad
  // input) for settings or sets that cannot work.
  Tuner(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
        const StepOptions& options, uint64_t seed, int64_t pass_tokens, Judge judge = {},
        ForgetGradientPlan forget = {});
  Tuner(const Tuner&) = delete;
  Tuner& operator=(const Tuner&) = delete;

  // Takes a state in the place of the start, weights included. Error (bad input) for one that does
  // not fit the trainable entries or the terms.
  void GoOnFrom(const TuneState& state);

  // Valid until the next step.
  const TuneState& state() const { return state_; }
  int64_t steps() const { return steps_; }  // in all
  // Whether all steps are done, or a guard has ended the run.
  bool done() const { return state_.step >= steps_ || !state_.guard.empty() || state_.finished; }

  // One optimiser step. A step that stands out (see docs/formulas.md, "Guards") is skipped: its
  // gradient is thrown away. The second in a row ends the run.
  void Step();

  // Checks the last state, and puts the weights back to the best state that passed the guard;
  // where every weight is trained without a judge, to the last one, or to the start.
  void Finish();

  TuneReport Report() const;

 private:
  using Drawn = std::vector<std::vector<int64_t>>;  // per term, which sequences
  struct StepNumbers;

  Drawn DrawStep();
  std::string WhyBad(size_t term, double loss) const;
  std::string WhyOutlying(size_t term, double loss) const;
  std::string AccumulateStep(const Drawn& drawn, Json& record);
  struct TermRange {
    size_t begin, end;
  };
  std::vector<at::Tensor> AddTerms(const Drawn& drawn, TermRange range, GatherSink* sink,
                                   TokenWeighing weighing, int64_t& tokens);
  StepNumbers AccumulateTerms(const Drawn& drawn);
  at::Tensor AccumulateForget(const Drawn& drawn, StepNumbers& numbers, TokenWeighing weighing);
  void JoinForget(StepNumbers& numbers);
  std::string CheckLastState();
  void UpdateDuals(const Json& record);
  void Propose(double score);
  void Confirm();
  double Seconds() const;

  const Model& model_;
  Trainable& trainable_;
  std::vector<LossTerm> terms_;
  StepOptions options_;
  Schedule schedule_;
  int64_t steps_;
  int64_t pass_tokens_;
  Judge judge_;
  bool keeps_;  // going back costs two copies of the masters: too much for every weight
  GatherSink sink_;
  const Surgery& surgery_;
  std::optional<Rehearsal> rehearsal_;
  at::Tensor forget_gradient_;  // fp32 [n], where it stands apart; undefined where it does not
  std::optional<TokenScorer> scorer_;  // where a term's token weights are learned
  std::vector<ShuffledDraw> draws_;  // as far as state_.terms says
  uint64_t seed_;
  TuneState state_;
  double seconds_before_ = 0;  // of the run that this one goes on from
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

// What a caller may do as a run goes.
struct TuneHooks {
  std::function<void(const Json&)> log;  // gets each step's record at once
  // Called after each step, and once after the end with a finished state. May store it, and may
  // end the run by an exception.
  std::function<void(const TuneState&)> between_steps;
  std::optional<TuneState> go_on_from;
};

// A whole run of --steps, or --epochs. See Tuner.
TuneReport Tune(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
                const StepOptions& options, uint64_t seed, int64_t pass_tokens, const Judge& judge,
                TuneHooks hooks = {}, const ForgetGradientPlan& forget = {});

}  // namespace grin
