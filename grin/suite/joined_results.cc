#include "grin/suite/joined_results.h"

#include <set>

#include "grin/suite/results.h"

namespace grin {
namespace {

std::string FingerprintOf(const Json& results) {
  if (!results.is_object()) return {};
  const auto grin = results.find("grin");
  if (grin == results.end() || !grin->is_object()) return {};
  const auto print = grin->find("model_fingerprint");
  return print != grin->end() && print->is_string() ? print->get<std::string>() : std::string();
}

}  // namespace

bool AreOfOneModel(const Json& results, const Json& others) {
  const std::string print = FingerprintOf(results);
  return !print.empty() && print == FingerprintOf(others);
}

std::string SharedMetric(const std::vector<const Json*>& results) {
  std::set<std::string> seen;
  for (const Json* one : results) {
    for (const std::string& metric : MetricNames(*one)) {
      if (!seen.insert(metric).second) return metric;
    }
  }
  return {};
}

std::vector<std::vector<size_t>> GroupByModel(const std::vector<Json>& results) {
  std::vector<std::vector<size_t>> groups;
  std::vector<bool> grouped(results.size(), false);
  for (size_t i = 0; i < results.size(); ++i) {
    if (grouped[i]) continue;
    std::vector<size_t> group;
    std::vector<const Json*> parts;
    for (size_t j = 0; j < results.size(); ++j) {
      if (j != i && !AreOfOneModel(results[i], results[j])) continue;
      group.push_back(j);
      parts.push_back(&results[j]);
    }
    if (group.size() > 1 && !SharedMetric(parts).empty()) group = {i};
    for (const size_t number : group) grouped[number] = true;
    groups.push_back(std::move(group));
  }
  return groups;
}

Json JoinResults(const std::vector<const Json*>& parts) {
  Json joined = *parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    for (const std::string& metric : MetricNames(*parts[i])) joined[metric] = parts[i]->at(metric);
    joined["grin"]["parts"].push_back(parts[i]->at("grin"));
  }
  return joined;
}

}  // namespace grin
