#include "grin/tune/tune.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/eval/likelihood.h"
#include "grin/tune/clip.h"
#include "grin/tune/draw.h"
#include "grin/tune/gather_sink.h"
#include "grin/tune/schedule.h"

namespace grin {
namespace {

// Log-probabilities of the untouched model, per sequence of a term; empty where not needed.
using References = std::vector<std::vector<float>>;

References ComputeReferences(const Model& model, const LossTerm& term, int64_t pass_tokens) {
  if (!term.objective->needs_reference) return {};
  LikelihoodOptions options{.pass_tokens = pass_tokens};
  options.progress = fmt::format("tune: {} reference", term.name);
  References references;
  for (SequenceScores& scores : ScoreSequences(model, *term.sequences, options)) {
    references.push_back(std::move(scores.logp));
  }
  return references;
}

TokenValues Values(const PackedBatch& batch, const at::Tensor& logp, const References& references,
                   std::span<const int64_t> indices) {
  TokenValues values{.logp = logp.detach(), .weight = batch.label_weights,
                     .offsets = batch.label_offsets};
  if (!references.empty()) {
    std::vector<float> joined;
    for (const int64_t i : indices) {
      joined.insert(joined.end(), references[i].begin(), references[i].end());
    }
    values.reference = at::tensor(joined);
  }
  return values;
}

// A term with its drawing order and reference values.
struct RunningTerm {
  const LossTerm& term;
  References references;
  ShuffledDraw draw;
  double first_loss = std::nan("");
};

// Adds the gradients of scale * mean loss over `drawn`, and returns the mean loss.
double Accumulate(const Model& model, const RunningTerm& running, std::span<const int64_t> drawn,
                  int64_t pass_tokens, GradientSink* sink, int64_t& tokens) {
  const LossTerm& term = running.term;
  const auto all = Pointers(*term.sequences);
  const auto sequences = Select(all, drawn);
  const double share = 1.0 / static_cast<double>(drawn.size());
  double loss = 0;
  for (const auto& pass : PlanPasses(sequences, pass_tokens)) {
    const PackedBatch batch = Pack(Select(sequences, pass), model.weights->device());
    const LabelScores scores = ScoreBatch(model, batch, sink);
    std::vector<int64_t> indices;
    for (const int64_t i : pass) indices.push_back(drawn[i]);
    const LossAndGradient result = term.objective->function(
        Values(batch, scores.logp.cpu(), running.references, indices), term.settings, share);
    loss += result.loss;
    tokens += batch.tokens.size(0);
    if (!std::isfinite(result.loss)) return result.loss;
    if (sink) {
      torch::autograd::backward({scores.logp},
                                {result.gradient.mul(term.scale).to(scores.logp.device())});
    }
  }
  return loss;
}

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

void CheckOptions(const StepOptions& options) {
  const auto positive = [](const char* name, auto value) {
    if (!(value > 0)) BadUsage("tune", "--{} is {}; it must be above 0", name, value);
  };
  positive("batch-size", options.batch_size);
  positive("accumulate", options.accumulate);
  if (options.steps == 0) positive("epochs", options.epochs);
  positive("lr", options.lr);
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

}  // namespace

TuneReport Tune(const Model& model, Trainable& trainable, const std::vector<LossTerm>& terms,
                const StepOptions& options, uint64_t seed, int64_t pass_tokens, const Judge& judge,
                const std::function<void(const Json&)>& log) {
  CheckOptions(options);
  const Schedule schedule = ParseSchedule(options.schedule);
  const AdamWSettings adamw{.weight_decay = options.weight_decay};
  const int64_t steps = StepsOf(terms, options);
  const int64_t per_step = options.batch_size * options.accumulate;

  std::vector<RunningTerm> running;
  for (const LossTerm& term : terms) {
    if (term.sequences->empty()) BadInput("tune", "the {} set is empty", term.name);
    running.push_back({term, ComputeReferences(model, term, pass_tokens),
                       ShuffledDraw(static_cast<int64_t>(term.sequences->size()), seed, term.name)});
  }

  TuneReport report;
  GatherSink sink(trainable);
  std::vector<at::Tensor> best;
  double best_score = -std::numeric_limits<double>::infinity();
  const auto consider = [&](int64_t step, Json& record) {
    if (!judge.measure) return;
    const Judge::Verdict verdict = judge.measure();
    record["judged"] = verdict.figures;
    record["score"] = verdict.score;
    if (verdict.score <= best_score) return;
    best_score = verdict.score;
    best = trainable.Snapshot();
    report.kept_step = step;
  };

  Progress progress("tune", steps);
  if (judge.measure) judge.measure();  // what it started from
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
      const double loss = Accumulate(model, term, term.draw.Next(count), pass_tokens, &sink, tokens);
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
    const double lr = options.lr * ScheduleFactor(schedule, step - 1, options.warmup, steps);
    for (MaskedParameter& parameter : trainable.parameters()) {
      AdamWStep(parameter, adamw, lr, step);
    }
    trainable.WriteBack();
    report.steps = step;
    report.tokens += tokens;
    record["lr"] = lr;
    if (step % std::max<int64_t>(judge.period, 1) == 0 || step == steps) consider(step, record);
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
  if (!best.empty() && report.kept_step != report.steps) {
    trainable.Restore(best);
  } else if (best.empty()) {
    report.kept_step = report.steps;
  }
  report.seconds = progress.seconds();
  return report;
}

std::vector<double> InitialLosses(const Model& model, const std::vector<LossTerm>& terms,
                                  int64_t pass_tokens) {
  std::vector<double> losses;
  for (const LossTerm& term : terms) {
    const auto size = static_cast<int64_t>(term.sequences->size());
    ShuffledDraw draw(size, 0, term.name);
    const RunningTerm running{term, ComputeReferences(model, term, pass_tokens), draw};
    int64_t tokens = 0;
    losses.push_back(Accumulate(model, running, draw.Next(size), pass_tokens, nullptr, tokens));
  }
  return losses;
}

}  // namespace grin
