#pragma once
// The report: one HTML page that needs nothing but itself, and tables for the terminal.

#include <filesystem>
#include <string>
#include <vector>

#include "grin/report/run.h"

namespace grin {

struct Report {
  std::vector<ReportedRun> runs;  // one: its story; many: a comparison
  Yardsticks yardsticks;
};

// The whole page. It loads nothing: styles, scripts and drawings are inside. At least one run.
std::string RenderReport(const Report& report);

// The page of one run that was not evaluated, from what it wrote: grin.json, its log and mask.
std::string RenderRunReport(const std::string& name, const Json& record,
                            const std::vector<Json>& log, const Mask* mask);

// A table of the runs, with the columns that at least one of them has.
// Error (usage) for a format that is not known.
std::string FormatRuns(const Report& report, const std::string& format);
std::string RunFormats();  // names, for help

// The same as JSON: one object for one run, {"runs": [...]} for several.
Json SummarizeReport(const Report& report);

}  // namespace grin
