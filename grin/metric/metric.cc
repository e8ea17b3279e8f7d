#include "grin/metric/metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "grin/base/ordered_tree.h"
#include "grin/base/table.h"

namespace grin {

std::span<const Metric> Metrics() {
  static const std::vector<Metric> all = [] {
    std::vector<Metric> rows;
    for (const auto group : {LikelihoodMetrics(), GenerationMetrics(), KeywordMetrics()}) {
      rows.insert(rows.end(), group.begin(), group.end());
    }
    return rows;
  }();
  return all;
}

const Metric& FindMetric(std::string_view name) {
  return FindRow("eval", "metric", Metrics(), name);
}

Json NotMeasured(std::string_view why) { return {{"agg_value", nullptr}, {"not_measured", why}}; }

Json Finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void ByIndex::Add(size_t index, Json record, double value) {
  AppendMember(records_, std::to_string(index), std::move(record));
  values_.push_back(value);
}

void ByIndex::Skip(size_t index) { AppendMember(records_, std::to_string(index), nullptr); }

double ByIndex::Mean() const {
  return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size());
}

Json ByIndex::Result(double aggregate) const {
  if (values_.empty()) {
    Json result = NotMeasured("no record has what this metric is about");
    result["value_by_index"] = records_;
    return result;
  }
  // Asked of the values: an aggregate that takes the larger of two numbers can hide a NaN.
  const auto lost =
      std::ranges::count_if(values_, [](double value) { return !std::isfinite(value); });
  Json result = {{"agg_value", Finite(aggregate)}, {"value_by_index", records_}};
  if (lost > 0) {
    result["agg_value"] = nullptr;
    result["not_measured"] =
        fmt::format("{} of {} records have no finite log-probability", lost, values_.size());
  } else if (!std::isfinite(aggregate)) {
    result["not_measured"] = "the values are finite, their aggregate is not";
  }
  return result;
}

}  // namespace grin
