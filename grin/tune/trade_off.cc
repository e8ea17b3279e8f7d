#include "grin/tune/trade_off.h"

#include <algorithm>
#include <numeric>

#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/engine/likelihood.h"

namespace grin {
namespace {

// What is left of the forget set below this share of its start counts as gone: a model that never
// saw the data is not at 0 either, and lower than it is over-forgetting.
constexpr double kForgotten = 0.05;

std::vector<Sequence> DrawJudged(const std::vector<Sequence>& all, uint64_t seed,
                                 const char* stream) {
  const auto count = static_cast<int64_t>(all.size());
  std::vector<int64_t> order(all.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const RandomStream random(seed, stream);
  std::vector<Sequence> drawn;
  for (int64_t i = 0; i < std::min(kJudgedSequences, count); ++i) {
    std::swap(order[i], order[i + static_cast<int64_t>(random.Below(i, count - i))]);
    drawn.push_back(all[order[i]]);
  }
  return drawn;
}

Json ScoresJson(const SetScores& scores) {
  return {{"probability", scores.probability},
          {"keyword_accuracy", scores.keyword_accuracy},
          {"keyword_confidence", scores.keyword_confidence}};
}

StartingKnowledge KnowledgeIn(const SetScores& scores) {
  const bool keywords = scores.keyword_confidence > 0;
  return {keywords ? scores.keyword_confidence : scores.probability, keywords};
}

// The share that is left, by the figure that told the start.
double ShareLeft(const SetScores& scores, const StartingKnowledge& start) {
  const double now = start.keywords ? scores.keyword_confidence : scores.probability;
  return now / std::max(start.value, 1e-12);
}

}  // namespace

double TradeOffScore(double forget_left, double retain_left) {
  const double gone = std::clamp((1.0 - forget_left) / (1.0 - kForgotten), 0.0, 1.0);
  return gone + retain_left > 0 ? 2.0 * gone * retain_left / (gone + retain_left) : 0.0;
}

TradeOffJudge::TradeOffJudge(const Model& model, const Task& task, uint64_t seed,
                             int64_t pass_tokens)
    : model_(model),
      task_(task),
      pass_tokens_(pass_tokens),
      forget_(DrawJudged(task.forget_sequences, seed, "judge/forget")),
      retain_(DrawJudged(task.retain_sequences, seed, "judge/retain")) {}

std::pair<SetScores, SetScores> TradeOffJudge::ScoreBoth() const {
  const LikelihoodOptions options{.pass_tokens = pass_tokens_, .extras = {.argmax = true}};
  const SetScores forget =
      AverageScores(task_.forget, forget_, ScoreSequences(model_, forget_, options));
  const SetScores retain =
      AverageScores(task_.retain, retain_, ScoreSequences(model_, retain_, options));
  return {forget, retain};
}

TradeOffJudge::Start TradeOffJudge::MeasureStart() const {
  const auto [forget, retain] = ScoreBoth();
  return {KnowledgeIn(forget), KnowledgeIn(retain)};
}

Judge::Verdict TradeOffJudge::Measure() const {
  if (!start_) Defect("tune", "the judge has no start to compare with");
  const auto [forget, retain] = ScoreBoth();
  return {.score = TradeOffScore(ShareLeft(forget, start_->forget),
                                 ShareLeft(retain, start_->retain)),
          .figures = {{"forget", ScoresJson(forget)}, {"retain", ScoresJson(retain)}}};
}

}  // namespace grin
