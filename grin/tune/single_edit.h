#pragma once
// A method that is one edit of the selected weights.

#include <functional>
#include <vector>

#include "grin/tune/method.h"

namespace grin {

// Lets `edit` change the masters once and say what it did, for the log, with what is left of the forget
// and the retain set beside it. Done already where the hooks go on from a finished state.
TuneReport EditOnce(const MethodInput& input, TuneHooks hooks, const std::function<Json()>& edit);

// What --locate-sample draws of a set, "forget" or "retain", and the statistic of it at the selected
// entries.
at::Tensor SampledStatistic(const MethodInput& input, const std::vector<Sequence>& set,
                            const char* name);

// The selected entries of another checkpoint of the same model, fp32 [n] in the order of the arena.
// Error (bad input) naming a weight that it lacks or has in another shape.
at::Tensor EntriesOf(const Checkpoint& checkpoint, Trainable& trainable);

}  // namespace grin
