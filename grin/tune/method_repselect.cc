// RepSelect (arXiv 2606.17168; code filyp/open-unlearning): the gradient of the forget set, taken while a
// low-rank adapter relearns that set, loses its strongest directions, which the rest of the text shares;
// the weights go along what is left until the model's distribution on retain text has moved so far.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/locate/gradient_pass.h"
#include "grin/tune/divergence_search.h"
#include "grin/tune/draw.h"
#include "grin/tune/low_rank.h"
#include "grin/tune/low_rank_adapter.h"
#include "grin/tune/method.h"
#include "grin/tune/trade_off.h"

namespace grin {
namespace {

constexpr int64_t kDivergenceSample = 64;  // retain sequences that the divergence is measured on
constexpr size_t kMostTrials = 40;

// The matrices of the MLPs.
LocateOptions MlpMatrices(const Model& model, const LocateOptions& options) {
  LocateOptions selection = WholeScope(model, options);
  if (!options.scope.empty()) return selection;
  for (const BlockWeights& block : model.blocks) {
    for (const LinearWeights* linear : {&block.gate, &block.up, &block.gate_up, &block.down}) {
      if (linear->weight.defined()) selection.scope.push_back(linear->weight.name);
    }
  }
  return selection;
}

std::vector<std::string> NamesOfMatrices(const MethodInput& input) {
  const std::vector<std::string> matrices = input.model.BlockMatrices();
  std::vector<std::string> names;
  for (const MaskedParameter& parameter : input.trainable.parameters()) {
    if (std::ranges::find(matrices, parameter.name) == matrices.end()) {
      BadUsage("tune", "--method repselect changes matrices of the blocks' linear layers, and {} is none",
               parameter.name);
    }
    names.push_back(parameter.name);
  }
  return names;
}

// Where the masters go, in the place of the gradient: the selected entries of what is left of the
// forget gradients, of mean square 1.
void FindDirection(const MethodInput& input, int64_t& tokens) {
  const std::vector<std::string> names = NamesOfMatrices(input);
  const std::vector<Sequence>& forget = input.task.forget_sequences;
  std::vector<ScoreTensor> gradients;
  {
    LowRankAdapter adapter(input.model, names, input.options.lora_rank, input.seed);
    const LossTerm relearn{.name = "relearn",
                           .objective = &FindRetainObjective("nll"),
                           .sequences = &forget};
    const auto size = static_cast<int64_t>(forget.size());
    ShuffledDraw draw(size, input.seed, "repselect");
    at::Tensor first, last;  // losses
    for (int64_t left = input.options.lora_epochs * size; left > 0;) {
      ThrowIfInterrupted();
      const int64_t count = std::min({left, input.steps.batch_size, draw.left()});
      last = adapter.Step(relearn, draw.Next(count), input.options.lora_lr, input.pass_tokens, tokens);
      if (left == input.options.lora_epochs * size) first = last;
      left -= count;
    }
    if (input.options.lora_epochs > 0) {
      const std::vector<double> losses = ReadTogether({first, last});
      Info("repselect: the adapter's loss on the forget set went from {:.3f} to {:.3f}", losses[0],
           losses[1]);
      if (!std::isfinite(losses[1])) {
        BadInput("tune", "the adapter's loss is {}; lower --lora-lr", losses[1]);
      }
    }
    std::vector<const Sequence*> all;
    for (const Sequence& sequence : forget) all.push_back(&sequence);
    gradients = AccumulateGradients(
        input.model, all, names,
        {.pass_tokens = input.pass_tokens, .progress = "repselect: forget gradients"});
  }
  Arena& arena = input.trainable.arena();
  arena.gradient.zero_();
  Progress progress("repselect: directions", static_cast<int64_t>(names.size()));
  for (ScoreTensor& gradient : gradients) {
    ThrowIfInterrupted();
    const int64_t smaller = std::min(gradient.values.size(0), gradient.values.size(1));
    const int64_t rank = std::clamp<int64_t>(smaller / 4, 1, input.options.rank);
    const LowRank strongest = StrongestDirections(gradient.values, rank, input.seed);
    GatherGradient(WeakenDirections(gradient.values, strongest).contiguous(), 1,
                   *input.trainable.Find(gradient.name));
    gradient.values = at::Tensor();
    progress.Add(1);
  }
  const auto norm = GradientNorm(arena.gradient).item<double>();
  if (!std::isfinite(norm) || norm == 0) {
    BadInput("tune", "the forget gradient of the selected weights has norm {}; nothing can be "
             "unlearned by it", norm);
  }
  arena.gradient.mul_(
      static_cast<float>(std::sqrt(static_cast<double>(arena.gradient.numel())) / norm));
}

// The mean over sequences of the mean over their labels of KL(untouched, present).
class DivergenceMeter {
 public:
  explicit DivergenceMeter(const MethodInput& input) : input_(input) {
    for (const Sequence* sequence : SampleForLocate(input.task.retain_sequences, kDivergenceSample,
                                                    input.seed, "divergence")) {
      sample_.push_back(*sequence);
    }
    term_ = {.name = "retain", .objective = &FindRetainObjective("kl"), .sequences = &sample_};
    ComputeReference(input.model, term_, input.pass_tokens);
  }
  DivergenceMeter(const DivergenceMeter&) = delete;

  double Measure(int64_t& tokens) const {
    std::vector<int64_t> all(sample_.size());
    std::iota(all.begin(), all.end(), int64_t{0});
    return Accumulate(input_.model, term_, all, input_.pass_tokens, nullptr, tokens)
        .item<double>();
  }

 private:
  const MethodInput& input_;
  std::vector<Sequence> sample_;
  LossTerm term_;
};

std::vector<DivergenceTrial> TrialsOf(const std::vector<Json>& log) {
  std::vector<DivergenceTrial> trials;
  for (const Json& record : log) {
    // JSON has no infinity.
    const Json& divergence = record.at("divergence");
    trials.push_back({record.at("distance"), divergence.is_number()
                                                 ? divergence.get<double>()
                                                 : std::numeric_limits<double>::infinity()});
  }
  return trials;
}

TuneReport SelectRepresentations(const MethodInput& input, TuneHooks hooks) {
  if (hooks.go_on_from && hooks.go_on_from->finished) {
    input.trainable.Restore(hooks.go_on_from->master);
    return ReportOf(*hooks.go_on_from);
  }
  const auto begun = std::chrono::steady_clock::now();
  Arena& arena = input.trainable.arena();
  // On the untouched model, also where the run goes on.
  const DivergenceMeter meter(input);
  TradeOffJudge judge(input.model, input.task, input.seed, input.pass_tokens);
  judge.SetStart(judge.MeasureStart());
  const at::Tensor start = input.trainable.Snapshot();
  TuneState state;
  if (hooks.go_on_from) {
    state = std::move(*hooks.go_on_from);
    arena.m.copy_(state.m);
  } else {
    FindDirection(input, state.tokens);
    arena.m.copy_(arena.gradient);
  }
  state.master = arena.master;
  state.m = arena.m;  // the direction
  state.v = arena.v;
  const double seconds_before = state.seconds;
  const auto seconds = [&] {
    return seconds_before +
           std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  const auto go_to = [&](double distance) {
    arena.master.copy_(start).add_(arena.m, distance);
    input.trainable.WriteBack();
  };
  const double bound = input.options.divergence;
  state.seconds = seconds();
  if (hooks.between_steps) hooks.between_steps(state);
  std::vector<DivergenceTrial> trials = TrialsOf(state.log);
  while (const auto distance = NextDistance(trials, input.steps.lr, bound, kMostTrials)) {
    ThrowIfInterrupted();
    go_to(*distance);
    double divergence = meter.Measure(state.tokens);
    if (!std::isfinite(divergence)) divergence = std::numeric_limits<double>::infinity();
    trials.push_back({*distance, divergence});
    state.updates = ++state.step;
    state.seconds = seconds();
    state.log.push_back({{"step", state.step},
                         {"distance", *distance},
                         {"divergence", divergence},
                         {"seconds", state.seconds},
                         {"peak_memory_bytes", PeakMemory()}});
    if (hooks.log) hooks.log(state.log.back());
    if (hooks.between_steps) hooks.between_steps(state);
  }
  const DivergenceTrial* kept = FarthestWithin(trials, bound);
  if (!kept) {
    BadInput("tune", "every step moves the model's distribution by more than --divergence {}: {:.3g} "
             "after the smallest; raise it", bound, trials.back().divergence);
  }
  for (size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].distance == kept->distance) state.kept_step = static_cast<int64_t>(i) + 1;
  }
  go_to(kept->distance);
  const Judge::Verdict verdict = judge.Measure();
  state.log.back()["judged"] = verdict.figures;
  state.log.back()["score"] = verdict.score;
  if (kept->divergence < 0.5 * bound) {
    Warn("repselect: the divergence is {:.3g} after {} trials and did not come near --divergence {}",
         kept->divergence, trials.size(), bound);
  }
  Info("repselect: each selected weight moved by {:.3g} (root of the mean square), divergence {:.4g}",
       kept->distance, kept->divergence);
  state.finished = true;
  state.seconds = seconds();
  if (hooks.between_steps) hooks.between_steps(state);
  return ReportOf(state);
}

}  // namespace

const Method kRepSelect = {
    .name = "repselect",
    .formula = "theta += the forget gradient, weakened along its strongest directions",
    .selection = MlpMatrices,
    .dense_gradients = 2,
    .run = SelectRepresentations};

}  // namespace grin
