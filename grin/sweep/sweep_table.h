#pragma once
// The table of a sweep: one row per setting, and which one wins.

#include <optional>
#include <string>
#include <vector>

#include "grin/sweep/run_one.h"

namespace grin {

// What is known of a run when the table is made.
struct SweepRunState {
  std::optional<RunOutcome> outcome;
  std::string failure;    // why it failed; else empty
  bool hopeless = false;  // it says that its setting is
  bool skipped = false;   // of a setting that is hopeless, or not among the finalists
  bool passed_over = false;  // it was not
};

// {"format": "grin-sweep-table-1", "choose", "rows": [...], "before", "reference", "tried",
// "notes"}: see docs/sweeps.md. `runs` are those of the plan, in its order; `choose` is settled.
Json SweepTable(const SweepFile& file, const SweepPlan& plan, const ChooseOptions& choose,
                const std::vector<SweepRunState>& runs);

// The table as Markdown.
std::string SweepMarkdown(const Json& table);

}  // namespace grin
