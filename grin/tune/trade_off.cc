#include "grin/tune/trade_off.h"

#include <algorithm>
#include <memory>

#include "grin/base/random.h"
#include "grin/engine/likelihood.h"
#include "grin/metric/keyword_metrics.h"

namespace grin {
namespace {

constexpr int64_t kSample = 48;
// What is left of the forget set below this share of its start counts as gone: a model that never
// saw the data is not at 0 either, and lower than it is over-forgetting.
constexpr double kForgotten = 0.05;

std::vector<Sequence> Draw(const std::vector<Sequence>& all, uint64_t seed, const char* stream) {
  std::vector<Sequence> drawn = all;
  const auto count = static_cast<int64_t>(drawn.size());
  const RandomStream random(seed, stream);
  for (int64_t i = 0; i < std::min(kSample, count); ++i) {
    std::swap(drawn[i], drawn[i + static_cast<int64_t>(random.Below(i, count - i))]);
  }
  drawn.resize(std::min(kSample, count));
  return drawn;
}

Json ToJson(const SetScores& scores) {
  return {{"probability", scores.probability},
          {"keyword_accuracy", scores.keyword_accuracy},
          {"keyword_confidence", scores.keyword_confidence}};
}

// The figure that stands for what a model knows of a set.
double Knowledge(const SetScores& scores) {
  return scores.keyword_confidence > 0 ? scores.keyword_confidence : scores.probability;
}

struct State {
  std::vector<Sequence> forget, retain;
  double forget_start = 0, retain_start = 0;
};

}  // namespace

double TradeOffScore(double forget_left, double retain_left) {
  const double gone = std::clamp((1.0 - forget_left) / (1.0 - kForgotten), 0.0, 1.0);
  return gone + retain_left > 0 ? 2.0 * gone * retain_left / (gone + retain_left) : 0.0;
}

Judge TradeOffJudge(const Model& model, const Task& task, uint64_t seed, int64_t pass_tokens) {
  auto state = std::make_shared<State>();
  state->forget = Draw(task.forget_sequences, seed, "judge/forget");
  state->retain = Draw(task.retain_sequences, seed, "judge/retain");
  const auto both = [state, &model, &task, pass_tokens] {
    const LikelihoodOptions options{.pass_tokens = pass_tokens, .extras = {.argmax = true}};
    const SetScores forget =
        AverageScores(task.forget, state->forget, ScoreSequences(model, state->forget, options));
    const SetScores retain =
        AverageScores(task.retain, state->retain, ScoreSequences(model, state->retain, options));
    return std::pair(forget, retain);
  };
  const auto [forget_start, retain_start] = both();
  state->forget_start = std::max(Knowledge(forget_start), 1e-12);
  state->retain_start = std::max(Knowledge(retain_start), 1e-12);
  const auto measure = [state, both] {
    const auto [forget, retain] = both();
    Judge::Verdict verdict;
    verdict.score = TradeOffScore(Knowledge(forget) / state->forget_start,
                                  Knowledge(retain) / state->retain_start);
    verdict.figures = {{"forget", ToJson(forget)}, {"retain", ToJson(retain)}};
    return verdict;
  };
  return {.measure = measure};
}

}  // namespace grin
