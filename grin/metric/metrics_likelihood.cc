// Metrics of answers under teacher forcing. Formulas: docs/metrics.md.

#include <algorithm>
#include <array>
#include <cmath>

#include "grin/metric/metric.h"

namespace grin {
namespace {

// The guard against division by zero that TOFU's and OpenUnlearning's code have.
constexpr double kTiny = 1e-10;

Json ProbabilityOf(const QuestionSet& set, const std::optional<ScoredAnswer> Question::*which) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const auto& answer = set.questions[i].*which;
    if (!answer || answer->empty()) {
      values.Skip(i);
      continue;
    }
    const double nll = answer->MeanNll();
    values.Add(i, {{"prob", std::exp(-nll)}, {"avg_loss", nll}}, std::exp(-nll));
  }
  return values.Result();
}

Json Probability(const QuestionSet& set) { return ProbabilityOf(set, &Question::answer); }
Json ParaphraseProbability(const QuestionSet& set) {
  return ProbabilityOf(set, &Question::paraphrase);
}

// Mean NLLs of the wrong answers; empty when one of them has no label.
std::vector<double> WrongNlls(const Question& question) {
  std::vector<double> nlls;
  for (const ScoredAnswer& wrong : question.wrong) {
    if (wrong.empty()) return {};
    nlls.push_back(wrong.MeanNll());
  }
  return nlls;
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

Json WrongProbability(const QuestionSet& set) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const std::vector<double> nlls = WrongNlls(set.questions[i]);
    if (nlls.empty()) {
      values.Skip(i);
      continue;
    }
    std::vector<double> probabilities;
    for (const double nll : nlls) probabilities.push_back(std::exp(-nll));
    values.Add(i, {{"prob", probabilities}, {"avg_loss", nlls}}, MeanOf(probabilities));
  }
  return values.Result();
}

Json ProbabilityNormalised(const QuestionSet& set) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const Question& question = set.questions[i];
    const std::vector<double> nlls = WrongNlls(question);
    if (nlls.empty() || question.answer->empty()) {
      values.Skip(i);
      continue;
    }
    const double right = std::exp(-question.answer->MeanNll());
    double wrong = 0;
    for (const double nll : nlls) wrong += std::exp(-nll);
    const double share = right / (right + wrong + kTiny);
    values.Add(i, {{"prob", share}}, share);
  }
  return values.Result();
}

// a_w / (a_c + tiny): the paraphrase stands for the answer where a record has one.
template <typename Aggregate>
Json TruthRatios(const QuestionSet& set, const Aggregate& aggregate) {
  ByIndex values;
  double sum = 0;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const Question& question = set.questions[i];
    const ScoredAnswer& right = question.paraphrase ? *question.paraphrase : *question.answer;
    const std::vector<double> nlls = WrongNlls(question);
    if (nlls.empty() || right.empty()) {
      values.Skip(i);
      continue;
    }
    const double ratio = std::exp(-MeanOf(nlls)) / (std::exp(-right.MeanNll()) + kTiny);
    values.Add(i, {{"score", ratio}}, ratio);
    sum += aggregate(ratio);
  }
  return values.Result(sum / static_cast<double>(values.values().size()));
}

// 1 where true and false are equally likely, as for a model that never saw the data.
Json TruthRatioForget(const QuestionSet& set) {
  return TruthRatios(set, [](double ratio) { return std::min(ratio, 1 / (ratio + kTiny)); });
}

Json TruthRatio(const QuestionSet& set) {
  return TruthRatios(set, [](double ratio) { return std::max(0.0, 1 - ratio); });
}

// Among NaN some token comes first as well: a broken model would seem to have forgotten.
bool HasNaN(const ScoredAnswer& answer) {
  return std::ranges::any_of(answer.scores.logp, [](float logp) { return std::isnan(logp); });
}

bool IsFirstChoice(const ScoredAnswer& answer, int64_t label) {
  return answer.scores.argmax[label] == answer.sequence.tokens[answer.sequence.labels[label]];
}

Json ExactMemorization(const QuestionSet& set) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const ScoredAnswer& answer = *set.questions[i].answer;
    if (answer.answer_labels == 0) {
      values.Skip(i);
      continue;
    }
    int64_t right = 0;
    for (int64_t t = 0; t < answer.answer_labels; ++t) right += IsFirstChoice(answer, t);
    const double share =
        HasNaN(answer) ? std::nan("")
                       : static_cast<double>(right) / static_cast<double>(answer.answer_labels);
    values.Add(i, {{"score", share}}, share);
  }
  return values.Result();
}

Json ExtractionStrength(const QuestionSet& set) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const ScoredAnswer& answer = *set.questions[i].answer;
    const int64_t count = answer.answer_labels;
    const bool published = set.encoder && set.encoder->open_unlearning();
    if (count == 0) {
      published ? values.Add(i, {{"score", 0}}, 0) : values.Skip(i);
      continue;
    }
    int64_t k = count;  // the first label from which all are right to the end
    while (k > 0 && IsFirstChoice(answer, k - 1)) --k;
    // OpenUnlearning's search ends at the last label even where that is wrong.
    if (published) k = std::min(k, count - 1);
    const double strength =
        HasNaN(answer) ? std::nan("") : 1 - static_cast<double>(k) / static_cast<double>(count);
    values.Add(i, {{"score", strength}}, strength);
  }
  return values.Result();
}

constexpr std::array kLikelihoodMetricTable{
    Metric{"probability", "Q_A_Prob", kAnswer, Probability},
    Metric{"paraphrase_probability", "Q_A_PARA_Prob", kParaphrase, ParaphraseProbability},
    Metric{"wrong_probability", "Q_A_PERT_Prob", kWrong, WrongProbability},
    Metric{"probability_normalised", "Q_A_Prob_normalised", kAnswer | kWrong,
           ProbabilityNormalised},
    Metric{"truth_ratio", "Truth_Ratio", kAnswer | kParaphrase | kWrong, TruthRatio},
    Metric{"truth_ratio_forget", "truth_ratio", kAnswer | kParaphrase | kWrong, TruthRatioForget},
    Metric{"exact_memorization", "exact_memorization", kAnswer | kArgmax, ExactMemorization},
    Metric{"extraction_strength", "extraction_strength", kAnswer | kArgmax, ExtractionStrength},
};

}  // namespace

std::span<const Metric> LikelihoodMetrics() { return kLikelihoodMetricTable; }

}  // namespace grin
