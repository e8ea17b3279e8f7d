#pragma once
// One run of a sweep: unlearn, evaluate, attack.

#include <functional>

#include "grin/sweep/choice.h"
#include "grin/sweep/shared_work.h"

namespace grin {

// What the file of a run says.
struct RunOutcome {
  RunFigures figures;
  bool attacked = false;
  Json document;  // all of the file
};

// Reads the result of a run that is done; figures of the model before and of the never-taught one
// are those of `shared`. Nothing where there is none, or it lacks what the sweep asks for now: an
// attack that `needs_attack` would have had.
std::optional<RunOutcome> OutcomeOf(const SweepRun& run, const Ledger& ledger, SharedWork& shared);

// Does the run, whose claim the caller has, and writes its result. With `keep` its checkpoint
// stays. `is_hopeless` is asked once the model was evaluated: it is not attacked where that says
// so.
RunOutcome DoRun(const SweepRun& run, const SweepFile& file, const Ledger& ledger,
                 SharedWork& shared, bool keep,
                 const std::function<bool(const RunFigures&)>& is_hopeless);

// The unlearned checkpoint alone, at `out`.
void MakeCheckpoint(const SweepRun& run, const Ledger& ledger, SharedWork& shared,
                    const std::filesystem::path& out);

}  // namespace grin
