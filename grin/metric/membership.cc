#include "grin/metric/membership.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "grin/base/error.h"
#include "grin/engine/spaces.h"
#include "grin/metric/metric.h"
#include "grin/metric/statistics.h"

namespace grin {
namespace {

constexpr double kShare = 0.4;  // k of min-k, as OpenUnlearning sets it for TOFU and MUSE

// Minus the mean of the lowest max(1, floor(k n)) values.
double MinK(std::vector<double> values) {
  if (values.empty()) return 0;
  // NaN has no place in an order.
  if (std::ranges::any_of(values, [](double value) { return std::isnan(value); })) {
    return std::nan("");
  }
  const auto count =
      std::max<size_t>(1, static_cast<size_t>(kShare * static_cast<double>(values.size())));
  std::ranges::sort(values);
  return -std::accumulate(values.begin(), values.begin() + static_cast<int64_t>(count), 0.0) /
         static_cast<double>(count);
}

double Loss(const Question& question, const Encoder&) { return question.answer->MeanNll(); }

// Loss per byte that zlib needs for the text (Carlini et al. 2021).
double Zlib(const Question& question, const Encoder& encoder) {
  std::vector<int32_t> labels;
  for (const int32_t at : question.answer->sequence.labels) {
    labels.push_back(question.answer->sequence.tokens[at]);
  }
  std::string text = encoder.tokenizer().Decode(labels, /*skip_special_tokens=*/true);
  if (encoder.open_unlearning() && encoder.cleans_spaces()) text = CleanSpaces(text);
  uLongf size = compressBound(text.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                reinterpret_cast<const Bytef*>(text.data()), text.size(),
                Z_DEFAULT_COMPRESSION) != Z_OK) {
    Defect("eval", "zlib could not compress {} bytes", text.size());
  }
  return question.answer->MeanNll() / static_cast<double>(size);
}

// Shi et al. 2023, arXiv 2310.16789.
double MinKLoss(const Question& question, const Encoder&) {
  const ScoredAnswer& answer = *question.answer;
  return MinK({answer.scores.logp.begin(), answer.scores.logp.begin() + answer.answer_labels});
}

// The same with each log-probability standardised by its distribution (Zhang et al. 2024, arXiv
// 2404.02936).
double MinKPlusPlus(const Question& question, const Encoder&) {
  const ScoredAnswer& answer = *question.answer;
  std::vector<double> values;
  for (int64_t t = 0; t < answer.answer_labels; ++t) {
    const SequenceScores& scores = answer.scores;
    values.push_back((static_cast<double>(scores.logp[t]) - scores.mean[t]) /
                     std::sqrt(std::max(1e-6, static_cast<double>(scores.variance[t]))));
  }
  return MinK(std::move(values));
}

double GradientNormOf(const Question& question, const Encoder&) {
  return question.gradient_norm.value();
}

double AgainstReference(const Question& question, const Encoder&) {
  return question.answer->MeanNll() - question.reference_nll.value();
}

constexpr std::array kAttacks{
    Attack{"mia_loss", kAnswer, Loss},
    Attack{"mia_zlib", kAnswer, Zlib},
    Attack{"mia_min_k", kAnswer, MinKLoss},
    Attack{"mia_min_k_plus_plus", kAnswer | kMoments, MinKPlusPlus},
    Attack{"mia_gradnorm", kGradientNorm, GradientNormOf},
    Attack{"mia_reference", kAnswer | kReference, AgainstReference},
};

Json ScoresOf(const Attack& attack, const QuestionSet& set, std::vector<double>& scores) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const Question& question = set.questions[i];
    if (question.answer->empty()) {
      values.Skip(i);
      continue;
    }
    const double score = attack.score(question, *set.encoder);
    values.Add(i, {{"score", Finite(score)}}, score);
  }
  scores = values.values();
  return values.Result();
}

}  // namespace

std::span<const Attack> Attacks() { return kAttacks; }

const Attack& FindAttack(std::string_view name) {
  for (const Attack& attack : kAttacks) {
    if (attack.name == name) return attack;
  }
  Defect("eval", "there is no attack '{}'", name);
}

Json AttackResult(const Attack& attack, const QuestionSet& forget, const QuestionSet& holdout) {
  std::vector<double> forget_scores, holdout_scores;
  Json result = {{"forget", ScoresOf(attack, forget, forget_scores)},
                 {"holdout", ScoresOf(attack, holdout, holdout_scores)}};
  if (forget_scores.empty() || holdout_scores.empty()) {
    return NotMeasured("a set has no labelled record");
  }
  for (const auto* scores : {&forget_scores, &holdout_scores}) {
    if (!std::ranges::all_of(*scores, [](double score) { return std::isfinite(score); })) {
      return NotMeasured("the model gives some records no finite loss");
    }
  }
  const double auc = Auc(forget_scores, holdout_scores);
  result["auc"] = result["agg_value"] = Finite(auc);
  return result;
}

double PrivLeak(double auc, double reference_auc) {
  return ((1 - auc) - (1 - reference_auc)) / (1 - reference_auc + 1e-10) * 100;
}

Json PrivLeakResult(const Json& min_k, const Json& reference) {
  if (!min_k["agg_value"].is_number()) {
    return NotMeasured(min_k.value("not_measured", "mia_min_k was not measured"));
  }
  std::optional<double> given;
  if (reference.is_object() && reference.contains("mia_min_k") &&
      reference["mia_min_k"].value("agg_value", Json()).is_number()) {
    given = reference["mia_min_k"]["agg_value"].get<double>();
  }
  const double reference_auc = given.value_or(0.5);
  // The least distance from 1 that an attack on fewer than 30,000 records each can have, and more
  // than its rounding.
  constexpr double kNoScale = 1e-9;
  if (1 - reference_auc < kNoScale) {
    return NotMeasured(
        "mia_min_k of the reference is 1: it tells all records apart, which leaves no scale to "
        "compare on");
  }
  Json result = {{"agg_value", PrivLeak(min_k["agg_value"].get<double>(), reference_auc)},
                 {"reference_auc", reference_auc}};
  if (!given && reference.is_object()) {
    result["note"] = "the reference has no mia_min_k; compared with 0.5, that of guessing";
  }
  return result;
}

}  // namespace grin
