#include "grin/tune/tune.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/tune/clip.h"
#include "grin/tune/draw.h"
#include "grin/tune/gather_sink.h"
#include "grin/tune/schedule.h"

namespace grin {
namespace {

// A term with its drawing order.
struct RunningTerm {
  const LossTerm& term;
  ShuffledDraw draw;
  double first_loss = std::nan("");
};

int64_t StepsOf(const std::vector<LossTerm>& terms, const StepOptions& options) {
  if (options.steps > 0) return options.steps;
  for (const LossTerm& term : terms) {
    if (!term.per_epoch) continue;
    const auto size = static_cast<int64_t>(term.sequences->size());
    const int64_t step = options.batch_size * options.accumulate;
    return options.epochs * ((size + step - 1) / step);
  }
  Defect("tune", "no term sets the epoch");
}

// Stops a run that goes wrong. Returns why, or nothing.
std::string Guard(const RunningTerm& running, double loss, double collapse) {
  if (!std::isfinite(loss)) {
    return fmt::format("the {} loss is {}", running.term.name, loss);
  }
  if (!running.term.guarded || collapse <= 0) return {};
  const double limit = collapse * std::max(running.first_loss, 0.5);
  if (loss <= limit) return {};
  return fmt::format("the {} loss is {:.3g}, above {:.3g} ({} times its start): the model collapses",
                     running.term.name, loss, limit, collapse);
}

// The state after the last step has no next step that would find it out: one more batch of each
// set, without training.
std::string CheckLastState(const Model& model, std::vector<RunningTerm>& running,
                           const StepOptions& options, int64_t pass_tokens) {
  for (RunningTerm& term : running) {
    int64_t tokens = 0;
    const auto size = static_cast<int64_t>(term.term.sequences->size());
    const double loss = Accumulate(model, term.term, term.draw.Next(std::min(options.batch_size, size)),
                                   pass_tokens, nullptr, tokens);
    if (std::string guard = Guard(term, loss, options.collapse); !guard.empty()) return guard;
  }
  return {};
}

// States to go back to. The state after a step counts only once the next step's losses have passed
// the guard, or the run is over: a collapsed state is never kept.
class BestState {
 public:
  explicit BestState(Trainable& trainable) : trainable_(trainable) {
    best_ = {trainable.Snapshot(), -std::numeric_limits<double>::infinity(), 0};
  }

  void Propose(double score, int64_t step) { pending_ = {trainable_.Snapshot(), score, step}; }
  void Confirm() {
    if (!pending_.weights.empty() && pending_.score > best_.score) best_ = std::move(pending_);
    pending_ = {};
  }

  // Returns the step that is restored, 0 for the start.
  int64_t Restore(int64_t present) {
    if (best_.step != present) trainable_.Restore(best_.weights);
    return best_.step;
  }

 private:
  struct State {
    std::vector<at::Tensor> weights;
    double score = 0;
    int64_t step = 0;
  };
  Trainable& trainable_;
  State best_, pending_;
};

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
  ParseSchedule(options.schedule);
}

TuneReport Tune(const Model& model, Trainable& trainable, std::vector<LossTerm> terms,
                const StepOptions& options, uint64_t seed, int64_t pass_tokens, const Judge& judge,
                const std::function<void(const Json&)>& log) {
  CheckStepOptions(options);
  const Schedule schedule = ParseSchedule(options.schedule);
  const AdamWSettings adamw{.weight_decay = options.weight_decay};
  const int64_t steps = StepsOf(terms, options);
  const int64_t per_step = options.batch_size * options.accumulate;

  std::vector<RunningTerm> running;
  for (LossTerm& term : terms) {
    if (term.sequences->empty()) BadInput("tune", "the {} set is empty", term.name);
    ComputeReference(model, term, pass_tokens);
    running.push_back(
        {term, ShuffledDraw(static_cast<int64_t>(term.sequences->size()), seed, term.name)});
  }

  TuneReport report;
  GatherSink sink(trainable);
  // Going back costs two copies of the masters: small under a mask, too much for every weight.
  std::optional<BestState> states;
  if (judge.measure || !trainable.everything()) states.emplace(trainable);

  Progress progress("tune", steps);
  for (int64_t step = 1; step <= steps; ++step) {
    ThrowIfInterrupted();
    for (MaskedParameter& parameter : trainable.parameters()) parameter.gradient.zero_();
    Json record = {{"step", step}};
    int64_t tokens = 0;
    int64_t count = per_step;
    for (RunningTerm& term : running) {  // the last step of an epoch takes what is left
      if (term.term.per_epoch && options.steps == 0) count = std::min(count, term.draw.left());
    }
    for (RunningTerm& term : running) {
      const double loss = Accumulate(model, term.term, term.draw.Next(count), pass_tokens, &sink, tokens);
      if (step == 1) term.first_loss = loss;
      record[term.term.name + "_loss"] = loss;
      report.guard = Guard(term, loss, options.collapse);
      if (!report.guard.empty()) break;
    }
    if (report.guard.empty()) {
      const double norm = ClipGradients(trainable.parameters(), options.max_grad_norm > 0
                                            ? options.max_grad_norm
                                            : std::numeric_limits<double>::infinity());
      record["gradient_norm"] = norm;
      if (!std::isfinite(norm)) report.guard = "the gradient is not finite";
    }
    if (!report.guard.empty()) {
      Warn("stopped at step {}: {}", step, report.guard);
      break;
    }
    if (states) states->Confirm();  // the state before this step has passed
    const double lr = options.lr * ScheduleFactor(schedule, step - 1, options.warmup, steps);
    for (MaskedParameter& parameter : trainable.parameters()) {
      AdamWStep(parameter, adamw, lr, step);
    }
    trainable.WriteBack();
    report.steps = step;
    report.tokens += tokens;
    record["lr"] = lr;
    const int64_t period = (steps + judge.times - 1) / judge.times;
    const bool judged = (steps - step) % period == 0;
    if (states && judge.measure && judged) {
      const Judge::Verdict verdict = judge.measure();
      record["judged"] = verdict.figures;
      record["score"] = verdict.score;
      states->Propose(verdict.score, step);
    } else if (states && !judge.measure) {
      states->Propose(static_cast<double>(step), step);  // the later the better
    }
    record["tokens_per_second"] = static_cast<double>(report.tokens) / progress.seconds();
    record["seconds"] = progress.seconds();
    record["peak_memory_bytes"] = PeakMemory();
    if (report.first.is_null()) report.first = record;
    report.last = record;
    if (log) log(record);
    std::string figures;
    for (const RunningTerm& term : running) {
      figures += fmt::format("{} {:.3f}  ", term.term.name,
                             record[term.term.name + "_loss"].get<double>());
    }
    progress.Update(step, fmt::format("{}{:.0f} tokens/s  {:.1f} GB", figures,
                                      record["tokens_per_second"].get<double>(),
                                      static_cast<double>(PeakMemory()) / 1e9));
    report.log.push_back(std::move(record));
  }
  if (report.guard.empty()) {
    report.guard = CheckLastState(model, running, options, pass_tokens);
    if (!report.guard.empty()) Warn("after the last step: {}", report.guard);
  }
  if (states) {
    if (report.guard.empty()) states->Confirm();
    report.kept_step = states->Restore(report.steps);
  } else if (report.guard.empty()) {
    report.kept_step = report.steps;
  } else {
    trainable.Reset();  // to step 0
  }
  report.seconds = progress.seconds();
  return report;
}

}  // namespace grin
