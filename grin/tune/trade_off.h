#pragma once
// How far forgetting has come and what it has cost so far, judged on training data only.

#include "grin/tune/task.h"

namespace grin {

// How good it is that these shares of what was known of the forget set and of the retain set are
// left: the harmonic mean of (1 - forget_left) / .95, cut off to 0 .. 1 (below a twentieth there is
// nothing more to gain), and retain_left. That is not cut off at 1: where some records gain, others
// may still be lost, and later steps bring them back.
double TradeOffScore(double forget_left, double retain_left);

// A judge by that score over at most 48 sequences of each set, drawn by seed. Known is the keyword
// confidence; where neither set has keywords, the answers' probability. The start is measured when
// the judge is made.
Judge TradeOffJudge(const Model& model, const Task& task, uint64_t seed, int64_t pass_tokens);

}  // namespace grin
