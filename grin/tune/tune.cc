#include "grin/tune/tune.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/listener.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/ranks/ranks.h"

namespace grin {
namespace {

int64_t StepsOf(const std::vector<LossTerm>& terms, const StepOptions& options) {
  if (options.steps > 0) return options.steps;
  for (const LossTerm& term : terms) {
    if (!term.per_epoch) continue;
    const int64_t step = options.batch_size * options.accumulate;
    return options.epochs * ((term.units() + step - 1) / step);
  }
  Defect("tune", "no term sets the epoch");
}

bool WasSkipped(const std::vector<Json>& log) {
  return !log.empty() && log.back().contains("skipped");
}

// A step is done whole: it would be half a state that an interrupted judge leaves.
Judge::Verdict MeasureUninterrupted(const Judge& judge) {
  Listener listener;
  if (CurrentListener()) listener = *CurrentListener();
  listener.cancelled = {};
  const ListenerScope scope(std::move(listener));
  return judge.measure();
}

// All processes end after the same step, with a state that belongs to it, whichever of them is told to
// end. While it lives the listener says what was agreed.
class AgreedEnd {
 public:
  explicit AgreedEnd(const Ranks& ranks) : ranks_(ranks) {
    if (ranks_.alone()) return;
    Listener listener;
    if (CurrentListener()) listener = *CurrentListener();
    told_ = std::exchange(listener.cancelled, [this] { return wanted_; });
    scope_.emplace(std::move(listener));
  }

  // Whether the run is to end.
  bool wanted() const { return ranks_.alone() ? Interrupted() : wanted_; }

  // Agrees on it. A step's work is not given up half-way.
  void Ask() {
    if (!ranks_.alone()) wanted_ = ranks_.Any(told_ && told_());
  }

  // What a caller does between two steps. Where the run ends with it the others wait for rank 0, which
  // saves the state and tells.
  void Between(const TuneHooks& hooks, const TuneState& state) {
    if (hooks.between_steps) hooks.between_steps(state);
    if (ranks_.alone() || !wanted_) return;
    if (!ranks_.first()) ranks_.Barrier();
    ThrowIfInterrupted();
  }

 private:
  const Ranks& ranks_;
  std::function<bool()> told_;
  bool wanted_ = false;
  std::optional<ListenerScope> scope_;
};

void ShowStep(Progress& progress, const Json& record) {
  std::string figures;
  for (const auto& [name, value] : record.items()) {
    if (!name.ends_with("_loss")) continue;
    figures += fmt::format("{} {:.3f}  ", name.substr(0, name.size() - 5), value.get<double>());
  }
  progress.Update(record["step"], fmt::format("{}{:.0f} tokens/s  {:.1f} GB", figures,
                                              record["tokens_per_second"].get<double>(),
                                              static_cast<double>(PeakMemory()) / 1e9));
}

}  // namespace

void CheckStepOptions(const StepOptions& options) {
  const auto check = [](bool right, const char* name, auto value, const char* expected) {
    if (!right) BadUsage("tune", "--{} is {}; it must be {}", name, value, expected);
  };
  check(options.batch_size > 0, "batch-size", options.batch_size, "1 or more");
  check(options.accumulate > 0, "accumulate", options.accumulate, "1 or more");
  check(options.steps >= 0, "steps", options.steps, "0 or more");
  check(options.steps > 0 || options.epochs > 0, "epochs", options.epochs, "1 or more");
  check(options.lr > 0, "lr", options.lr, "above 0");
  check(options.warmup >= 0, "warmup", options.warmup, "0 or more");
  check(options.weight_decay >= 0, "weight-decay", options.weight_decay, "0 or more");
  check(options.max_grad_norm >= 0, "max-grad-norm", options.max_grad_norm, "0 or more");
  check(options.collapse >= 0, "collapse", options.collapse, "0 or more");
  check(options.outlier >= 0, "outlier", options.outlier, "0 or more");
  ParseSchedule(options.schedule);
}

void CheckSurgery(const Surgery& surgery, const std::vector<LossTerm>& terms) {
  if (!surgery.function || (terms.size() > 1 && terms[1].scale > 0)) return;
  BadUsage("tune", "--surgery {} compares with the retain gradient, of which there is none with "
           "--objective {}{}", surgery.name, terms[0].objective->name,
           terms.size() > 1 ? " and --alpha 0" : "");
}

Tuner::Tuner(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
             const StepOptions& options, uint64_t seed, int64_t pass_tokens, Judge judge,
             ForgetGradientPlan forget)
    : model_(model),
      trainable_(trainable),
      terms_(std::move(terms)),
      options_(options),
      pass_tokens_(pass_tokens),
      judge_(std::move(judge)),
      keeps_(judge_.measure || !trainable.everything()),
      sink_(trainable),
      surgery_(FindSurgery(forget.options.surgery)),
      seed_(seed) {
  CheckStepOptions(options_);
  CheckForgetGradientOptions(forget.options);
  schedule_ = ParseSchedule(options_.schedule);
  for (LossTerm& term : terms_) {
    if (term.sequences->empty()) BadInput("tune", "the {} set is empty", term.name);
    ComputeReference(model_, term, pass_tokens_);
    const Head& head = model_.head;
    if (term.reference.defined() && (trainable.Find(head.weight.name) ||
                                     (head.bias.defined() && trainable.Find(head.bias.name)))) {
      term.reference.head = UntouchedHead(model_);
    }
    draws_.emplace_back(term.units(), seed_, term.name);
    if (term.learned_tokens) scorer_.emplace(head.weight.value.size(1), model_.weights->device());
  }
  steps_ = StepsOf(terms_, options_);
  Arena& arena = trainable_.arena();
  state_.master = arena.master;
  state_.m = arena.m;
  state_.v = arena.v;
  state_.terms.resize(terms_.size());
  for (size_t i = 0; i < terms_.size(); ++i) state_.terms[i].scale = terms_[i].scale;
  if (scorer_) state_.scorer = scorer_->state();
  if (keeps_) state_.best.master = trainable_.Snapshot();
  if (!forget.options.apart()) return;
  if (terms_[0].name != "forget") {
    Defect("tune", "a forget gradient is to stand apart, and the first term is '{}'", terms_[0].name);
  }
  CheckSurgery(surgery_, terms_);
  forget_gradient_ = at::zeros_like(arena.gradient);
  if (forget.options.rehearse > 0) {
    rehearsal_.emplace(model_, trainable_, std::move(forget.relearn), forget.options,
                       options_.batch_size, seed_, pass_tokens_);
  }
}

void Tuner::GoOnFrom(const TuneState& state) {
  Arena& arena = trainable_.arena();
  const auto fits = [&](const at::Tensor& stored, const at::Tensor& own) {
    return stored.defined() && stored.sizes() == own.sizes();
  };
  if (!fits(state.master, arena.master) || state.terms.size() != terms_.size() ||
      state.step > steps_ ||
      (!state.finished && (!fits(state.m, arena.m) || !fits(state.v, arena.v) ||
                           (scorer_ && !fits(state.scorer, scorer_->state())) ||
                           (keeps_ && !fits(state.best.master, arena.master))))) {
    BadInput("tune", "the saved state is of another run: it has {} weights and {} of {} steps, "
             "this run has {} weights", state.master.defined() ? state.master.numel() : 0,
             state.step, steps_, arena.master.numel());
  }
  state_ = state;
  const auto take = [](at::Tensor& own, const at::Tensor& stored) {
    if (stored.defined()) own.copy_(stored);
  };
  take(arena.master, state.master);
  take(arena.m, state.m);
  take(arena.v, state.v);
  if (scorer_) {
    take(scorer_->state(), state.scorer);
    state_.scorer = scorer_->state();
  }
  state_.master = arena.master;
  state_.m = arena.m;
  state_.v = arena.v;
  for (KeptWeights* kept : {&state_.best, &state_.pending}) {
    if (kept->master.defined()) kept->master = kept->master.to(arena.master.device());
  }
  for (size_t i = 0; i < terms_.size(); ++i) {
    draws_[i] = ShuffledDraw(terms_[i].units(), seed_, terms_[i].name);
    draws_[i].Skip(state_.terms[i].drawn);
  }
  if (rehearsal_) rehearsal_->GoOnFrom(state_.rehearsal);
  seconds_before_ = state_.seconds;
  started_ = std::chrono::steady_clock::now();
  trainable_.WriteBack();
}

double Tuner::Seconds() const {
  return seconds_before_ +
         std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

Tuner::Drawn Tuner::DrawStep() {
  int64_t count = options_.batch_size * options_.accumulate;
  for (size_t i = 0; i < terms_.size(); ++i) {  // the last step of an epoch takes what is left
    if (terms_[i].per_epoch && options_.steps == 0) count = std::min(count, draws_[i].left());
  }
  Drawn drawn;
  for (size_t i = 0; i < terms_.size(); ++i) {
    drawn.push_back(draws_[i].Next(count));
    state_.terms[i].drawn += count;
  }
  return drawn;
}

// What must not be trained on at all.
std::string Tuner::WhyBad(size_t i, double loss) const {
  const LossTerm& term = terms_[i];
  if (std::isnan(loss)) return fmt::format("the {} loss is not a number", term.name);
  if (std::isinf(loss)) return fmt::format("the {} loss is {}", term.name, loss);
  if (!term.guarded || options_.collapse <= 0) return {};
  const double limit = options_.collapse * std::max(state_.terms[i].first_loss, term.loss_floor);
  if (loss <= limit) return {};
  return fmt::format("the {} loss is {:.3g}, above {:.3g} ({} times its start): the model collapses",
                     term.name, loss, limit, options_.collapse);
}

std::string Tuner::WhyOutlying(size_t i, double loss) const {
  if (!terms_[i].guarded || options_.outlier <= 0) return {};
  const double spreads = state_.terms[i].losses.SpreadsAbove(loss, terms_[i].loss_floor / 10);
  if (spreads <= options_.outlier) return {};
  return fmt::format("the {} loss is {:.3g}, {:.0f} spreads above the steps before",
                     terms_[i].name, loss, spreads);
}

// What the guards and the log want to know of a step. All of it is read together, so that the host
// waits for a device once in a step, whatever the number of passes, terms and layers.
struct Tuner::StepNumbers {
  std::vector<at::Tensor> losses;  // of the terms
  at::Tensor norm;                 // of the gradient
  // Undefined where the step has none:
  at::Tensor relearn_loss, forget_norm;  // of a rehearsal
  at::Tensor cosine;                     // between forget and retain gradient

  struct Read {
    std::vector<double> losses;
    double norm = 0;
    std::optional<double> relearn_loss, forget_norm, cosine;
  };
  Read Wait() const {
    std::vector<at::Tensor> all = losses;
    all.push_back(norm);
    for (const at::Tensor& number : {relearn_loss, forget_norm, cosine}) {
      if (number.defined()) all.push_back(number);
    }
    const std::vector<double> values = ReadTogether(all);
    size_t next = losses.size();
    Read read{.losses = {values.data(), values.data() + next}, .norm = values[next]};
    if (relearn_loss.defined()) read.relearn_loss = values[++next];
    if (forget_norm.defined()) read.forget_norm = values[++next];
    if (cosine.defined()) read.cosine = values[++next];
    return read;
  }
};

// The forget term's gradient, where it is to stand apart: taken at the adversary's weights, if there is
// one, and moved out of the arena. Returns the term's loss there.
at::Tensor Tuner::AccumulateForget(const Drawn& drawn, StepNumbers& numbers,
                                   TokenWeighing weighing) {
  at::Tensor& gradient = trainable_.arena().gradient;
  if (rehearsal_) numbers.relearn_loss = rehearsal_->Relearn(state_.step, sink_, state_.tokens);
  const at::Tensor loss = AddTerms(drawn, {0, 1}, &sink_, weighing, state_.tokens)[0];
  forget_gradient_.copy_(gradient);
  if (rehearsal_) numbers.forget_norm = rehearsal_->Return(forget_gradient_);
  return loss;
}

// Adds the forget gradient to the retain gradient, which is in the arena.
void Tuner::JoinForget(StepNumbers& numbers) {
  Arena& arena = trainable_.arena();
  numbers.cosine = CosineOf(forget_gradient_, arena.gradient);
  if (surgery_.function) {
    surgery_.function({.arena = arena,
                       .adamw = {.weight_decay = options_.weight_decay},
                       .updates = state_.updates},
                      forget_gradient_);
  }
  arena.gradient.add_(forget_gradient_);
}

// The losses of some of the terms, and with a sink their gradients, in the arena. Every process runs a
// part of the sequences.
std::vector<at::Tensor> Tuner::AddTerms(const Drawn& drawn, TermRange range, GatherSink* sink,
                                        TokenWeighing weighing, int64_t& tokens) {
  std::vector<at::Tensor> sums;
  if (sink) sums.push_back(trainable_.arena().gradient);
  if (sink && range.begin == 0 && weighing.scorer) sums.push_back(weighing.scorer->gradient());
  return SumOverParts(model_, std::move(sums), tokens, [&](StepPart part, int64_t& run) {
    std::vector<at::Tensor> losses;
    for (size_t i = range.begin; i < range.end; ++i) {
      losses.push_back(Accumulate(model_, terms_[i], drawn[i], pass_tokens_, sink, run, weighing, part));
    }
    return losses;
  });
}

// The gradients of all terms.
Tuner::StepNumbers Tuner::AccumulateTerms(const Drawn& drawn) {
  const TokenWeighing weighing{.scorer = scorer_ ? &*scorer_ : nullptr,
                               .learns = (state_.step + 1) % TokenScorer::kPeriod == 0};
  StepNumbers numbers;
  for (size_t i = 0; i < terms_.size(); ++i) terms_[i].scale = state_.terms[i].scale;
  size_t first = 0;
  if (forget_gradient_.defined()) {
    numbers.losses.push_back(AccumulateForget(drawn, numbers, weighing));
    first = 1;
  }
  for (at::Tensor& loss : AddTerms(drawn, {first, terms_.size()}, &sink_, weighing, state_.tokens)) {
    numbers.losses.push_back(std::move(loss));
  }
  if (forget_gradient_.defined()) JoinForget(numbers);
  numbers.norm = GradientNorm(trainable_.arena().gradient);
  return numbers;
}

// The gradients of all terms, clipped. Returns why the step must not be taken, or nothing.
std::string Tuner::AccumulateStep(const Drawn& drawn, Json& record) {
  const StepNumbers::Read numbers = AccumulateTerms(drawn).Wait();
  const double norm = numbers.norm;
  if (numbers.relearn_loss) record["relearn_loss"] = *numbers.relearn_loss;
  if (rehearsal_) {
    rehearsal_->SeeNorm(*numbers.forget_norm);
    state_.rehearsal = rehearsal_->state();
  }
  std::string outlying;
  for (size_t i = 0; i < terms_.size(); ++i) {
    TermState& term = state_.terms[i];
    const double loss = numbers.losses[i];
    if (terms_[i].dual) record[terms_[i].name + "_weight"] = term.scale;
    record[terms_[i].name + "_loss"] = loss;
    if (std::isnan(term.first_loss) && std::isfinite(loss)) term.first_loss = loss;
    if (std::string bad = WhyBad(i, loss); !bad.empty()) return bad;
    if (outlying.empty()) outlying = WhyOutlying(i, loss);
  }
  if (numbers.cosine) record["gradient_cosine"] = *numbers.cosine;
  record["gradient_norm"] = norm;
  if (!std::isfinite(norm)) return "the gradient is not finite";
  // Below --max-grad-norm a gradient counts as harmless.
  if (outlying.empty() && options_.outlier > 0 && norm > options_.max_grad_norm) {
    const double spreads = state_.norms.SpreadsAbove(norm, 0);
    if (spreads > options_.outlier) {
      outlying = fmt::format("the gradient's norm is {:.3g}, {:.0f} spreads above the steps before",
                             norm, spreads);
    }
  }
  if (!outlying.empty()) return outlying;
  for (size_t i = 0; i < terms_.size(); ++i) state_.terms[i].losses.Add(numbers.losses[i]);
  state_.norms.Add(norm);
  if (options_.max_grad_norm > 0) {
    ClipGradient(trainable_.arena().gradient, norm, options_.max_grad_norm);
  }
  return {};
}

void Tuner::Step() {
  const int64_t step = state_.step + 1;
  Json record = {{"step", step}};
  const std::string trouble = AccumulateStep(DrawStep(), record);
  const double lr =
      options_.lr * ScheduleFactor(schedule_, step - 1, options_.warmup, steps_);
  if (trouble.empty()) {
    Confirm();  // the state before this step has passed
    AdamWStep(trainable_.arena(), {.weight_decay = options_.weight_decay}, lr,
              state_.updates + 1);
    trainable_.WriteBack();
    ++state_.updates;
    if (scorer_ && step % TokenScorer::kPeriod == 0) scorer_->Step();
    UpdateDuals(record);
  } else if (WasSkipped(state_.log)) {
    state_.guard = trouble;
    state_.seconds = Seconds();
    Warn("stopped at step {}: {}", step, trouble);
    return;
  } else {
    record["skipped"] = trouble;
    Warn("step {} is skipped: {}", step, trouble);
  }
  record["lr"] = lr;
  const int64_t period = (steps_ + judge_.times - 1) / judge_.times;
  state_.step = step;
  if (judge_.measure && (steps_ - step) % period == 0) {
    const Judge::Verdict verdict = MeasureUninterrupted(judge_);
    record["judged"] = verdict.figures;
    record["score"] = verdict.score;
    Propose(verdict.score);
  } else if (keeps_ && !judge_.measure && trouble.empty()) {
    Propose(static_cast<double>(step));  // the later the better
  }
  state_.seconds = Seconds();
  record["tokens_per_second"] = static_cast<double>(state_.tokens) / state_.seconds;
  record["seconds"] = state_.seconds;
  record["peak_memory_bytes"] = PeakMemory();
  state_.log.push_back(std::move(record));
}

// The weights of losses that are to stay below a limit, after a step of these losses.
void Tuner::UpdateDuals(const Json& record) {
  for (size_t i = 0; i < terms_.size(); ++i) {
    if (!terms_[i].dual) continue;
    const DualWeight& dual = *terms_[i].dual;
    const double loss = record[terms_[i].name + "_loss"];
    if (state_.step == 0 && loss > dual.limit) {
      Warn(
          "the {} loss starts at {:.3g}, above its limit of {:.3g}: its weight will grow until it "
          "has come down; usual is a limit a little above the start (--retain-limit)",
          terms_[i].name, loss, dual.limit);
    }
    if (static_cast<double>(state_.step) < dual.warmup * static_cast<double>(steps_)) continue;
    double& weight = state_.terms[i].scale;
    weight = std::max(0.0, weight + dual.rate * (loss - dual.limit));
  }
}

// The state after a step counts only once the next step's losses have passed the guard, or the run
// is over: a collapsed state is never kept.
void Tuner::Propose(double score) {
  state_.pending = {trainable_.Snapshot(), score, state_.step};
}

void Tuner::Confirm() {
  if (state_.pending.master.defined() && state_.pending.score > state_.best.score) {
    state_.best = std::move(state_.pending);
  }
  state_.pending = {};
}

// The state after the last step has no next step that would find it out: one more batch of each
// set, without training, and where that is bad, a second one.
std::string Tuner::CheckLastState() {
  std::string bad;
  for (const int trial : {1, 2}) {
    bad.clear();
    Drawn drawn;
    for (size_t i = 0; i < terms_.size(); ++i) {
      drawn.push_back(draws_[i].Next(std::min(options_.batch_size, terms_[i].units())));
    }
    int64_t tokens = 0;
    const std::vector<double> read =
        ReadTogether(AddTerms(drawn, {0, terms_.size()}, nullptr,
                              {.scorer = scorer_ ? &*scorer_ : nullptr}, tokens));
    for (size_t i = 0; i < terms_.size() && bad.empty(); ++i) bad = WhyBad(i, read[i]);
    if (bad.empty() || (trial == 1 && WasSkipped(state_.log))) break;
  }
  return bad;
}

void Tuner::Finish() {
  if (state_.finished) return;
  if (state_.guard.empty()) {
    state_.guard = CheckLastState();
    if (!state_.guard.empty()) Warn("after the last step: {}", state_.guard);
  }
  if (keeps_) {
    if (state_.guard.empty()) Confirm();
    state_.kept_step = state_.best.step;
    if (state_.kept_step != state_.step) trainable_.Restore(state_.best.master);
  } else if (state_.guard.empty()) {
    state_.kept_step = state_.step;
  } else {
    trainable_.Reset();  // to step 0
  }
  state_.finished = true;
  state_.best = state_.pending = {};
  state_.scorer = at::Tensor();
  state_.seconds = Seconds();
}

TuneReport Tuner::Report() const { return ReportOf(state_); }

TuneReport ReportOf(const TuneState& state) {
  TuneReport report{.steps = state.step,
                    .kept_step = state.kept_step,
                    .tokens = state.tokens,
                    .seconds = state.seconds,
                    .guard = state.guard,
                    .log = state.log};
  if (!report.log.empty()) {
    report.first = report.log.front();
    report.last = report.log.back();
  }
  return report;
}

TuneReport Tune(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
                const StepOptions& options, uint64_t seed, int64_t pass_tokens, const Judge& judge,
                TuneHooks hooks, const ForgetGradientPlan& forget) {
  Tuner tuner(model, trainable, std::move(terms), options, seed, pass_tokens, judge, forget);
  if (hooks.go_on_from) tuner.GoOnFrom(*hooks.go_on_from);
  hooks.go_on_from.reset();
  Progress progress("tune", tuner.steps());
  AgreedEnd end(*model.ranks);
  end.Ask();
  while (!tuner.done()) {
    if (end.wanted()) {
      end.Between(hooks, tuner.state());
      ThrowIfInterrupted();
    }
    const int64_t before = tuner.state().step;
    tuner.Step();
    const TuneState& state = tuner.state();
    if (state.step == before) break;  // a guard has ended the run
    if (hooks.log) hooks.log(state.log.back());
    ShowStep(progress, state.log.back());
    end.Ask();
    end.Between(hooks, state);
  }
  if (!tuner.state().finished) {
    tuner.Finish();
    end.Ask();
    end.Between(hooks, tuner.state());
  }
  return tuner.Report();
}

}  // namespace grin
