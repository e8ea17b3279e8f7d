#include "grin/suite/results.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"
#include "grin/suite/legacy_results.h"

namespace grin {
namespace {

constexpr std::string_view kFormat = "grin-results-1";

// Python writes numbers that JSON does not have. Outside of strings each becomes null; lines stay
// what they are, for positions in later errors.
std::string WithoutNonFinite(std::string_view text) {
  constexpr std::string_view kNames[] = {"-Infinity", "Infinity", "NaN"};
  std::string clean;
  clean.reserve(text.size() + text.size() / 16);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const auto name = std::ranges::find_if(kNames, [&](std::string_view name) {
      return !in_string && text.substr(i, name.size()) == name;
    });
    if (name != std::end(kNames)) {
      clean += "null";
      i += name->size();
      continue;
    }
    if (in_string && text[i] == '\\' && i + 1 < text.size())
      clean += text[i++];
    else if (text[i] == '"')
      in_string = !in_string;
    clean += text[i++];
  }
  return clean;
}

std::string FileOf(const Json& results) {
  std::string files;
  for (const Json* source : SourcesOf(results)) {
    files += (files.empty() ? "" : ", ") + source->value("file", std::string("results"));
  }
  return files.empty() ? "results" : files;
}

std::string Some(const Json& object) {
  std::string names;
  size_t shown = 0;
  for (const auto& [key, value] : object.items()) {
    if (++shown > 5) return names + ", ...";
    names += (names.empty() ? "" : ", ") + Printable(key, 40);
  }
  return names.empty() ? "no keys" : names;
}

[[noreturn]] void RefuseOther(const Json& document, const std::string& file) {
  if (document.contains("grin_version") && document.contains("recipe")) {
    BadInput("eval", "{}: is the record of a run, expected the results that grin eval wrote", file);
  }
  if (document.contains("avg_gt_loss")) {
    BadInput("eval", "{}: is one task of locuslab's evaluation; give its eval_log_aggregated.json",
             file);
  }
  bool numbers = !document.empty();
  for (const auto& [key, value] : document.items()) numbers = numbers && value.is_number();
  if (numbers) {
    BadInput("eval",
             "{}: holds averages only; give the file with the single values (..._EVAL.json)", file);
  }
  BadInput(
      "eval",
      "{}: has {}; expected results: {{metric: {{\"agg_value\", \"value_by_index\"}}}} as grin "
      "eval and OpenUnlearning write them, or locuslab's eval_log_aggregated.json",
      file, Some(document));
}

std::optional<int64_t> ParseIndex(const std::string& key) {
  int64_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  if (error != std::errc() || end != key.data() + key.size()) return std::nullopt;
  return index;
}

void CheckValues(const Json& metric, const std::string& name, const std::string& file) {
  const auto values = metric.find("value_by_index");
  if (values == metric.end() || values->is_null()) return;
  if (!values->is_object()) {
    BadInput("eval", "{}: {}: 'value_by_index' is {}, expected an object", file, name,
             values->type_name());
  }
  for (const auto& [key, value] : values->items()) {
    if (!ParseIndex(key)) {
      BadInput("eval", "{}: {}: '{}' is not the index of an example", file, name,
               Printable(key, 40));
    }
    if (!value.is_object() && !value.is_null()) {
      BadInput("eval", "{}: {}:{}: holds {}, expected an object", file, name, key,
               value.type_name());
    }
  }
}

void CheckMetric(const Json& metric, const std::string& name, const std::string& file) {
  if (!metric.is_object()) {
    BadInput("eval", "{}: {} is {}, expected an object with agg_value", file, name,
             metric.type_name());
  }
  const auto average = metric.find("agg_value");
  if (average != metric.end() && !average->is_number() && !average->is_null()) {
    BadInput("eval", "{}: {}: 'agg_value' is {}, expected a number or null", file, name,
             average->type_name());
  }
  CheckValues(metric, name, file);
  for (const char* side : {"forget", "holdout"}) {  // of a membership attack
    const auto part = metric.find(side);
    if (part != metric.end() && part->is_object()) CheckMetric(*part, name + "." + side, file);
  }
}

// OpenUnlearning names the truth ratio of the forget set otherwise than those of the other sets.
// Files of other versions, of grin 0.1 too, may have either spelling for any of them.
void UseOneNameForTruthRatios(Json& results) {
  for (const std::string set : {"forget", "retain", "ra", "wf"}) {
    std::string name = set + "_Truth_Ratio", other = set + "_truth_ratio";
    if (set == "forget") std::swap(name, other);
    const auto found = results.find(other);
    if (found == results.end()) continue;
    if (!results.contains(name)) results[name] = *found;
    results.erase(other);
  }
}

bool HasMetric(const Json& document) {
  for (const auto& [key, value] : document.items()) {
    if (key != "grin" && value.is_object() && value.contains("agg_value")) return true;
  }
  return false;
}

}  // namespace

Json LoadResults(const std::filesystem::path& path) {
  const std::string file = path.string();
  Json document = ParseJson(WithoutNonFinite(ReadFile(path)), file);
  if (!document.is_object()) {
    BadInput("eval", "{}: holds {}, expected a JSON object of results", file, document.type_name());
  }
  std::string source = "open-unlearning";
  if (IsLegacyResults(document)) {
    document = ConvertLegacyResults(document, file);
    source = "locuslab";
  } else if (const auto grin = document.find("grin"); grin != document.end()) {
    if (!grin->is_object() || grin->value("format", Json()) != Json(kFormat)) {
      BadInput("eval", "{}: 'grin' does not hold format {}; this version reads no other", file,
               kFormat);
    }
    source = "grin";
  } else if (!HasMetric(document)) {
    RefuseOther(document, file);
  }
  for (const std::string& name : MetricNames(document)) CheckMetric(document[name], name, file);
  UseOneNameForTruthRatios(document);
  document["grin"]["source"] = source;
  document["grin"]["file"] = file;
  document["grin"].erase("parts");  // only joining makes them
  return document;
}

std::vector<std::string> MetricNames(const Json& results) {
  std::vector<std::string> names;
  for (const auto& [key, value] : results.items()) {
    if (key != "grin") names.push_back(key);
  }
  return names;
}

std::vector<const Json*> SourcesOf(const Json& results) {
  std::vector<const Json*> sources;
  const auto first = results.find("grin");
  if (first == results.end() || !first->is_object()) return sources;
  sources.push_back(&*first);
  const auto parts = first->find("parts");
  if (parts == first->end() || !parts->is_array()) return sources;
  for (const Json& part : *parts) {
    if (part.is_object()) sources.push_back(&part);
  }
  return sources;
}

std::optional<double> AggregateOf(const Json& results, std::string_view metric) {
  const auto found = results.find(metric);
  if (found == results.end()) return std::nullopt;
  const auto average = found->find("agg_value");
  if (average == found->end() || !average->is_number()) return std::nullopt;
  const double value = average->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string WhyNotMeasured(const Json& results, std::string_view metric) {
  const auto found = results.find(metric);
  if (found == results.end()) return fmt::format("{} has no {}", FileOf(results), metric);
  const auto reason = found->find("not_measured");
  if (reason != found->end() && reason->is_string()) return reason->get<std::string>();
  return fmt::format("{} of {} is not a number", metric, FileOf(results));
}

IndexedValues ValuesByIndex(const Json& results, std::string_view metric, std::string_view field) {
  IndexedValues indexed;
  const auto found = results.find(metric);
  if (found == results.end()) return indexed;
  const auto values = found->find("value_by_index");
  if (values == found->end() || !values->is_object()) return indexed;
  const auto refuse = [&](const std::string& key, const Json& value) {
    BadInput("eval", "{}: {}:{}: '{}' is {}, expected a number", FileOf(results), metric, key,
             field, value.type_name());
  };
  for (const auto& [key, entry] : values->items()) {
    if (entry.is_null()) continue;
    const auto value = entry.find(field);
    if (value == entry.end() || value->is_null()) continue;
    if (value->is_array() && !value->empty()) {
      double sum = 0;
      for (const Json& one : *value) {
        if (!one.is_number()) refuse(key, one);
        sum += one.get<double>();
      }
      indexed[*ParseIndex(key)] = sum / static_cast<double>(value->size());
    } else if (value->is_number()) {
      indexed[*ParseIndex(key)] = value->get<double>();
    } else {
      refuse(key, *value);
    }
  }
  std::erase_if(indexed, [](const auto& item) { return std::isnan(item.second); });
  return indexed;
}

std::vector<double> ValuesOf(const IndexedValues& indexed) {
  std::vector<double> values;
  values.reserve(indexed.size());
  for (const auto& [index, value] : indexed) values.push_back(value);
  return values;
}

}  // namespace grin
