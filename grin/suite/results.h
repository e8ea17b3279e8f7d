#pragma once
// Results files: one JSON object per evaluated model, in OpenUnlearning's layout,
//   {metric: {"agg_value": x, "value_by_index": {"0": {...}, ...}}, ..., "grin": {...}}.
// An agg_value of null was not measured; "not_measured" then says why.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// Reads the results of `grin eval`, of OpenUnlearning (TOFU_EVAL.json, MUSE_EVAL.json) or of
// locuslab's TOFU code (eval_log_aggregated.json, see legacy_results.h): the keys tell which it is.
// All come back under the names of `grin eval`. Python's NaN and Infinity become null.
// "grin" always holds "source" ("grin", "open-unlearning" or "locuslab") and "file".
// Error (bad input) naming the file, and the metric where one cannot be used.
Json LoadResults(const std::filesystem::path& path);

// The names of the metrics, in the file's order: every member but "grin".
std::vector<std::string> MetricNames(const Json& results);

// The "grin" entry of each file that the results are from: one, or more where they were joined
// (joined_results.h). Empty where there is none.
std::vector<const Json*> SourcesOf(const Json& results);

// The metric's agg_value; nothing where it is missing, null or not finite.
std::optional<double> AggregateOf(const Json& results, std::string_view metric);

// Why AggregateOf has nothing, in words: the metric's own "not_measured", or that it is absent.
std::string WhyNotMeasured(const Json& results, std::string_view metric);

// A metric's values by the index of the example: `field` of each entry, or, where that is a list
// (one value per wrong answer), the mean of it. Entries whose value is null or NaN are left out.
// Empty where there is no such metric. Error (bad input) for a value that is no number.
using IndexedValues = std::map<int64_t, double>;
IndexedValues ValuesByIndex(const Json& results, std::string_view metric,
                            std::string_view field = "score");

// The values alone, in the order of the indices.
std::vector<double> ValuesOf(const IndexedValues& indexed);

}  // namespace grin
