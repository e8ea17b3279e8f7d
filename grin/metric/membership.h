#pragma once
// Membership attacks: can the forget set still be told from data that the model never saw?

#include <span>
#include <string_view>

#include "grin/base/json.h"
#include "grin/metric/question_set.h"

namespace grin {

// Scores are signed like a loss: the higher, the less likely the model was trained on it.
struct Attack {
  std::string_view name;  // "mia_min_k"
  unsigned needs;
  double (*score)(const Question& question, const Encoder& encoder);
};

// mia_loss, mia_zlib, mia_min_k, mia_min_k_plus_plus, mia_gradnorm, mia_reference.
std::span<const Attack> Attacks();

// Error (internal) for another name.
const Attack& FindAttack(std::string_view name);

// AUC of forget (label 0) against holdout (1), with both sets' scores, in OpenUnlearning's layout.
// 0.5: cannot be told apart; 1: the forget set is better known.
Json AttackResult(const Attack& attack, const QuestionSet& forget, const QuestionSet& holdout);

// ((1 - auc) - (1 - reference)) / (1 - reference + 1e-10) * 100 (MUSE): 0 is as private as the
// reference; far above or below leaks.
double PrivLeak(double auc, double reference_auc);

// The same as a result, from that of mia_min_k; the reference's AUC is 0.5 where `reference`
// (results of the retain model, or null) has none.
Json PrivLeakResult(const Json& min_k, const Json& reference);

}  // namespace grin
