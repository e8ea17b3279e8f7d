#include "grin/sweep/figure.h"

#include <cmath>

#include "grin/base/error.h"
#include "grin/suite/aggregate.h"

namespace grin {
namespace {

std::optional<double> NumberIn(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? std::optional(found->get<double>())
                                                   : std::nullopt;
}

// The figure with records, where it is their mean.
MeasuredFigure WithRecords(std::optional<double> value, IndexedValues records) {
  MeasuredFigure figure{.value = value};
  if (!value || records.empty()) return figure;
  figure.records = std::move(records);
  const double mean = *value;
  double sum = 0;
  for (const auto& [record, number] : figure.records) sum += number;
  // Sums of the same numbers in another order differ in their last digits only.
  if (std::abs(sum / static_cast<double>(figure.records.size()) - mean) >
      1e-9 * std::max(1.0, std::abs(mean))) {
    figure.records.clear();
  }
  return figure;
}

// Numbers of the records' objects under one key.
IndexedValues RecordsIn(const Json& metric, const char* key) {
  IndexedValues values;
  const auto records = metric.find("value_by_index");
  if (records == metric.end() || !records->is_object()) return values;
  for (const auto& [index, entry] : records->items()) {
    const bool numbered = index.find_first_not_of("0123456789") == std::string::npos;
    if (!entry.is_object() || !numbered || index.empty()) continue;
    if (const auto number = NumberIn(entry, key)) values[std::stoll(index)] = *number;
  }
  return values;
}

Json FigureJson(const MeasuredFigure& figure) {
  Json json = {{"value", figure.value ? Json(*figure.value) : Json()}};
  if (!figure.records.empty()) {
    Json& records = json["records"] = Json::object();
    for (const auto& [record, value] : figure.records) records[std::to_string(record)] = value;
  }
  return json;
}

MeasuredFigure FigureIn(const Json& json) {
  MeasuredFigure figure{.value = NumberIn(json, "value")};
  const auto records = json.find("records");
  if (records == json.end()) return figure;
  for (const auto& [record, value] : records->items()) {
    figure.records[std::stoll(record)] = value.get<double>();
  }
  return figure;
}

}  // namespace

std::optional<double> MeasuredFigure::Of(Records which) const {
  if (!value || records.empty() || which == Records::kAll) return value;
  double sum = 0;
  int64_t count = 0;
  for (const auto& [record, number] : records) {
    if ((record % 2 == 0) != (which == Records::kEven)) continue;
    sum += number;
    ++count;
  }
  return count > 0 ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
}

std::map<std::string, MeasuredFigure> FiguresOfEval(const Json& results, const Json* reference,
                                                    const Json* before) {
  std::map<std::string, MeasuredFigure> figures;
  for (const std::string& name : MetricNames(results)) {
    const auto value = AggregateOf(results, name);
    figures[name] = WithRecords(value, RecordsIn(results.at(name), "score"));
  }
  const Aggregates aggregates = Aggregate(results, reference, before);
  for (const AggregateInfo& info : kAggregates) {
    const Measure& measure = aggregates.*info.measure;
    if (measure) figures[std::string(info.name)] = {.value = measure.value};
  }
  return figures;
}

RunFigures FiguresOfAttack(const Json& results) {
  RunFigures figures;
  for (const std::string& name : MetricNames(results)) {
    const Json& metric = results.at(name);
    ComparedFigure& figure = figures[name];
    figure.model = WithRecords(NumberIn(metric, "agg_value"), RecordsIn(metric, "score"));
    figure.before = WithRecords(NumberIn(metric, "before"), RecordsIn(metric, "before"));
    figure.reference = WithRecords(NumberIn(metric, "reference"), RecordsIn(metric, "reference"));
    figure.is_knowledge = metric.contains("came_back");
  }
  return figures;
}

Json FiguresToJson(const RunFigures& figures) {
  Json json = Json::object();
  for (const auto& [name, figure] : figures) {
    Json& entry = json[name] = FigureJson(figure.model);
    if (figure.before.value) entry["before"] = FigureJson(figure.before);
    if (figure.reference.value) entry["reference"] = FigureJson(figure.reference);
    if (figure.is_knowledge) entry["is_knowledge"] = true;
  }
  return json;
}

RunFigures FiguresFromJson(const Json& json) {
  RunFigures figures;
  for (const auto& [name, entry] : json.items()) {
    ComparedFigure& figure = figures[name];
    figure.model = FigureIn(entry);
    if (entry.contains("before")) figure.before = FigureIn(entry.at("before"));
    if (entry.contains("reference")) figure.reference = FigureIn(entry.at("reference"));
    figure.is_knowledge = entry.value("is_knowledge", false);
  }
  return figures;
}

}  // namespace grin
