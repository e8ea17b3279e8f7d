#include "grin/eval/metric_set.h"

#include <algorithm>

namespace grin {
namespace {

unsigned NeedsOf(const std::vector<NamedMetric>& metrics) {
  unsigned needs = 0;
  for (const NamedMetric& named : metrics) needs |= named.metric->needs;
  return needs;
}

}  // namespace

std::vector<NamedMetric> NameMetrics(const std::string& set,
                                     const std::vector<std::string>& names) {
  std::vector<NamedMetric> metrics;
  for (const std::string& name : names) {
    const Metric& metric = FindMetric(name);
    metrics.push_back({&metric, fmt::format("{}_{}", set, metric.result)});
  }
  return metrics;
}

MetricSet::MetricSet(EvalPlan& plan, const Encoder& encoder, std::string name,
                     std::vector<Example> examples, std::vector<NamedMetric> metrics,
                     const AskOptions& options, unsigned more_needs)
    : metrics_(std::move(metrics)),
      asked_(plan, encoder, std::move(name), std::move(examples), NeedsOf(metrics_) | more_needs,
             options) {}

bool MetricSet::wants_toxicity() const { return NeedsOf(metrics_) & kToxicity; }

QuestionSet MetricSet::Compute(const EngineResults& engines, const EngineResults* reference,
                               const ToxicityClassifier* classifier, Json& results) const {
  QuestionSet set = asked_.Collect(engines, reference);
  if (wants_toxicity() && classifier) {
    std::vector<std::string> texts;
    for (const Question& question : set.questions) texts.push_back(question.continuation);
    const std::vector<double> scores = classifier->Score(texts, "toxicity: " + set.name);
    for (size_t i = 0; i < scores.size(); ++i) set.questions[i].toxicity = scores[i];
  }
  for (const NamedMetric& named : metrics_) results[named.result] = named.metric->function(set);
  return set;
}

}  // namespace grin
