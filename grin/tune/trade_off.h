#pragma once
// How far forgetting has come and what it has cost so far, judged on training data only.

#include <cstdint>
#include <optional>
#include <vector>

#include "grin/data/task.h"
#include "grin/metric/keyword_metrics.h"
#include "grin/model/decoder.h"
#include "grin/tune/tune.h"

namespace grin {

// How good it is that these shares of what was known of the forget set and of the retain set are
// left: the harmonic mean of (1 - forget_left) / .95, cut off to 0 .. 1 (below a twentieth there is
// nothing more to gain), and retain_left. That is not cut off at 1: where some records gain, others
// may still be lost, and later steps bring them back.
double TradeOffScore(double forget_left, double retain_left);

// What a model knows of a set before it is changed, and by which figure that is told: the keyword
// confidence, or the answers' probability where there is none at the start.
struct StartingKnowledge {
  double value = 0;
  bool keywords = false;
};

// How many sequences of each set are judged at most.
inline constexpr int64_t kJudgedSequences = 48;

// A judge by that score over so many sequences of each set, drawn by seed. What was known at the
// start is measured on the untouched model, or taken from an earlier measurement.
class TradeOffJudge {
 public:
  struct Start {
    StartingKnowledge forget, retain;
  };

  // Draws the samples and measures nothing yet. `model` and `task` must outlive this.
  TradeOffJudge(const Model& model, const Task& task, uint64_t seed, int64_t pass_tokens);

  Start MeasureStart() const;
  void SetStart(const Start& start) { start_ = start; }

  // The present weights. SetStart must have been called.
  Judge::Verdict Measure() const;

 private:
  std::pair<SetScores, SetScores> ScoreBoth() const;

  const Model& model_;
  const Task& task_;
  int64_t pass_tokens_;
  std::vector<Sequence> forget_, retain_;  // the samples
  std::optional<Start> start_;
};

}  // namespace grin
