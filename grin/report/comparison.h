#pragma once
// Many runs side by side: what they have in common as columns, and the page that shows it.

#include <optional>
#include <string>
#include <vector>

#include "grin/report/markup.h"
#include "grin/report/report.h"

namespace grin {

// A column of the comparison: an aggregate or a metric, by its name in --json.
struct ComparisonColumn {
  std::string name;
  std::string label;
  bool lower_is_better = false;
  bool has_direction = true;
};

// Aggregates and the leading metrics that at least one run has.
std::vector<ComparisonColumn> ColumnsOf(const Report& report);

// A run's figure for a column; nothing where it was not measured.
std::optional<double> FigureOf(const ReportedRun& run, const std::string& column);

// The main content: the trade-off plot, and a table to sort and filter. `links` gets the entries of
// the navigation.
Markup ComparisonPage(const Report& report, Markup& links);

}  // namespace grin
