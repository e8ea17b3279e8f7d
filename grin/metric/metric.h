#pragma once
// Metrics of one set of questions: pure functions of what the engines returned. A new metric is a
// function and one row of a table.

#include <span>
#include <string>
#include <string_view>

#include "grin/base/json.h"
#include "grin/metric/question_set.h"

namespace grin {

struct Metric {
  std::string_view name;    // in recipes: "probability"
  std::string_view result;  // in result files, behind the set's name: "Q_A_Prob"
  unsigned needs;           // of each question
  // {"agg_value": x, "value_by_index": {"0": {...}, ...}}; questions that have not what the metric
  // is about are null there and left out of the aggregate, which is null without any, or where one
  // has no finite value.
  Json (*function)(const QuestionSet& set);
};

std::span<const Metric> Metrics();

// Error (usage) that names the nearest.
const Metric& FindMetric(std::string_view name);

// {"agg_value": null, "not_measured": why}.
Json NotMeasured(std::string_view why);

// A number for JSON, null when it is not finite.
Json Finite(double value);

// Collects values by index with their mean. Each index may come once.
class ByIndex {
 public:
  // `record` is what value_by_index shows; `value` enters the mean.
  void Add(size_t index, Json record, double value);
  void Skip(size_t index);

  const std::vector<double>& values() const { return values_; }
  double Mean() const;  // NaN without values

  // With the mean, or another aggregate, as agg_value. Not measured where a value is not finite:
  // what a broken model leaves out must not look like a figure of it.
  Json Result() const { return Result(Mean()); }
  Json Result(double aggregate) const;

 private:
  std::vector<double> values_;
  Json records_ = Json::object();
};

// Groups of rows of the table, one file each.
std::span<const Metric> LikelihoodMetrics();
std::span<const Metric> GenerationMetrics();
std::span<const Metric> KeywordMetrics();

}  // namespace grin
