#include "grin/metric/metric_set.h"

#include <algorithm>
#include <iterator>

namespace grin {
namespace {

// Metrics that compare what a model says to a prompt with what the record says.
constexpr std::string_view kComparing[] = {"rouge", "rouge_f1", "keyword_accuracy_generated"};

// Takes those out of `metrics` when all records are plain text: a text is its own prompt, and what
// would be compared with it is what comes behind it.
std::vector<NamedMetric> TakeComparing(std::vector<NamedMetric>& metrics,
                                       const std::vector<Example>& examples) {
  if (!std::ranges::all_of(examples, &Example::is_text)) return {};
  const auto comparing = [](const NamedMetric& named) {
    return std::ranges::count(kComparing, named.metric->name) > 0;
  };
  std::vector<NamedMetric> taken;
  std::ranges::copy_if(metrics, std::back_inserter(taken), comparing);
  std::erase_if(metrics, comparing);
  return taken;
}

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
    : without_prompt_(TakeComparing(metrics, examples)),
      metrics_(std::move(metrics)),
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
  for (const NamedMetric& named : without_prompt_) {
    results[named.result] = NotMeasured("plain text has no prompt");
  }
  return set;
}

}  // namespace grin
