#pragma once
// A results file in short.

#include "grin/base/json.h"

namespace grin {

// One line for each metric: its value, interval or standard error, or why it was not measured.
void PrintResults(const Json& results);

// What stands in the file without the values by index, for --json.
Json SummaryOf(const Json& results);

}  // namespace grin
