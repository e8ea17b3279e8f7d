#pragma once
// What rank 0 reads for all processes of a run: only it has the output and the state beside it.

#include <optional>

#include "grin/base/json.h"
#include "grin/ranks/ranks.h"
#include "grin/run/run_state.h"

namespace grin {

// Error (usage or bad input), the same on all ranks, where one of them was given other settings or
// files than rank 0. `identity` as in StateDirectory.
void CheckAlike(const Ranks& ranks, const Json& identity);

// What rank 0 has, on all ranks; what the others pass does not count. On one process the same
// value.
Json ShareJson(const Ranks& ranks, Json json);
std::optional<RunState::Start> ShareStart(const Ranks& ranks, std::optional<RunState::Start> start);
std::optional<TuneState> ShareStep(const Ranks& ranks, std::optional<TuneState> state);

}  // namespace grin
