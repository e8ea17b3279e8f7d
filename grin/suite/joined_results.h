#pragma once
// Several results files of one model as one: each suite of grin eval writes a file of its own, so
// that WMDP and MMLU, of one model, never stand in the same.

#include <string>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// Whether both name the same model for certain: by "model_fingerprint", which grin eval writes. A
// path is no proof: it may be relative, and what lies there may have been replaced.
bool AreOfOneModel(const Json& results, const Json& others);

// A metric that two of them have; empty where there is none.
std::string SharedMetric(const std::vector<const Json*>& results);

// The numbers of the results that are one run, each group in order, the groups by their first: all
// results of one model where none of them share a metric. Where two do, that model's all stay
// apart: what belongs to which is not certain. What is no object (nothing evaluated) stays apart.
std::vector<std::vector<size_t>> GroupByModel(const std::vector<Json>& results);

// All metrics of all parts. "grin" is the first part's, with the others' in its list "parts". At
// least one part.
Json JoinResults(const std::vector<const Json*>& parts);

}  // namespace grin
