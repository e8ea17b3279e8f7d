#pragma once
// Results of locuslab's TOFU code (eval_log_aggregated.json): per task, and per example, losses and
// ROUGE values, from which its aggregate script makes averages. The conversion does the same.

#include <string>

#include "grin/base/json.h"

namespace grin {

// Whether a results file has the tasks of that code.
bool IsLegacyResults(const Json& document);

// The same results under the names of `grin eval`: probabilities, ROUGE and truth ratios of the
// tasks that are there. Values as locuslab computes
// them: truth ratios and normalised probabilities without the 1e-10 that others add.
// Error (bad input) for values that are no numbers, or not of the same examples.
Json ConvertLegacyResults(const Json& document, const std::string& file);

}  // namespace grin
