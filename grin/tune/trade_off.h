#pragma once
// How far forgetting has come and what it has cost so far, judged on training data only.

#include "grin/tune/task.h"

namespace grin {

// How good it is that this share of what was known of the forget set is left, and this share of
// what was known of the retain set: the harmonic mean of
//
//   (1 - forget_left) / .95    what is gone, 0 to 1: below a twentieth there is nothing more to
//   gain retain_left                not cut off at 1: where some records gain, others may still be
//   lost,
//                              and later steps bring them back
double TradeOffScore(double forget_left, double retain_left);

// A judge by that score over at most 48 sequences of each set, drawn by seed. Known is the keyword
// confidence; where neither set has keywords, the answers' probability. The start is measured when
// the judge is made.
Judge TradeOffJudge(const Model& model, const Task& task, uint64_t seed, int64_t pass_tokens);

}  // namespace grin
