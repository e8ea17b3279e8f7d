#pragma once
// How far forgetting has come and what it has cost so far, judged on training data only.

#include "grin/tune/task.h"

namespace grin {

// A judge over at most 48 sequences of each set, drawn by seed.
//
//   score = harmonic mean of
//     (1 - C_f / C_f(start)) / .95    what is gone of the forget set's keyword confidence, at
//                                     most 1: below a twentieth there is nothing more to gain
//     C_r / C_r(start)                what is left of the retain set's, at most 1
//
// C is keyword_confidence; where neither set has keywords, the answers' probability. The start is
// measured when the judge is made.
Judge TradeOffJudge(const Model& model, const Task& task, uint64_t seed, int64_t pass_tokens);

}  // namespace grin
