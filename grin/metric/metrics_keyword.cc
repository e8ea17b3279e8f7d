// GRIN's own metrics, with a bootstrap interval over the questions. Definitions: docs/metrics.md.

#include <array>
#include <cmath>

#include "grin/data/keywords.h"
#include "grin/metric/keyword_metrics.h"
#include "grin/metric/metric.h"
#include "grin/metric/statistics.h"

namespace grin {
namespace {

std::vector<std::string> KeywordsOf(const Example& example) {
  std::vector<std::string> keywords;
  for (const auto& [begin, end] : KeywordSpans(example)) {
    keywords.push_back(example.response.substr(begin, end - begin));
  }
  return keywords;
}

template <typename Score>
Json ByQuestion(const QuestionSet& set, const Score& score) {
  ByIndex values;
  for (size_t i = 0; i < set.questions.size(); ++i) {
    const Question& question = set.questions[i];
    const auto [count, value] = score(question);
    if (count == 0) {
      values.Skip(i);
      continue;
    }
    values.Add(i, {{"score", value}, {"count", count}, {"keywords", KeywordsOf(question.example)}},
               value);
  }
  Json result = values.Result();
  if (result["agg_value"].is_number()) {
    const Interval interval = BootstrapMean(values.values());
    result["interval"] = {interval.low, interval.high};
  }
  return result;
}

Json Accuracy(const QuestionSet& set) {
  return ByQuestion(set, [](const Question& question) {
    const KeywordScore score =
        ScoreKeywords(question.example, question.answer->sequence, question.answer->scores);
    // Among NaN some token comes first as well: a broken model would seem to have forgotten.
    return std::pair(score.count, std::isnan(score.confidence) ? score.confidence : score.accuracy);
  });
}

Json Confidence(const QuestionSet& set) {
  return ByQuestion(set, [](const Question& question) {
    const KeywordScore score =
        ScoreKeywords(question.example, question.answer->sequence, question.answer->scores);
    return std::pair(score.count, score.confidence);
  });
}

Json Generated(const QuestionSet& set) {
  return ByQuestion(set, [](const Question& question) {
    const KeywordScore score = FindKeywords(question.example, question.continuation);
    return std::pair(score.count, score.accuracy);
  });
}

constexpr std::array kKeywordMetricTable{
    Metric{"keyword_accuracy", "keyword_accuracy", kAnswer | kArgmax, Accuracy},
    Metric{"keyword_accuracy_generated", "keyword_accuracy_generated", kContinuation, Generated},
    Metric{"keyword_confidence", "keyword_confidence", kAnswer | kArgmax, Confidence},
};

}  // namespace

std::span<const Metric> KeywordMetrics() { return kKeywordMetricTable; }

}  // namespace grin
