#pragma once
// A set of questions with the metrics that a suite wants of it.

#include <filesystem>
#include <string>
#include <vector>

#include "grin/metric/metric.h"
#include "grin/metric/question_set.h"
#include "grin/metric/toxicity_classifier.h"

namespace grin {

struct NamedMetric {
  const Metric* metric;
  std::string result;  // its name in the result file
};

// "forget" and {"probability", ...} -> forget_Q_A_Prob, ... Error (usage) for an unknown name.
std::vector<NamedMetric> NameMetrics(const std::string& set, const std::vector<std::string>& names);

class MetricSet {
 public:
  // Asks the plan for what the metrics need. `more_needs`: for metrics over several sets. Where all
  // records are plain text, metrics that compare an answer with the true one are not measured.
  MetricSet(EvalPlan& plan, const Encoder& encoder, std::string name, std::vector<Example> examples,
            std::vector<NamedMetric> metrics, const AskOptions& options = {},
            unsigned more_needs = 0);

  AskedSet& asked() { return asked_; }
  bool wants_toxicity() const;

  // Adds each metric to `results` under its name, and returns the set. The classifier is needed
  // where wants_toxicity() and one was given.
  QuestionSet Compute(const EngineResults& engines, const EngineResults* reference,
                      const ToxicityClassifier* classifier, Json& results) const;

 private:
  std::vector<NamedMetric> without_prompt_;  // not measured
  std::vector<NamedMetric> metrics_;
  AskedSet asked_;
};

}  // namespace grin
