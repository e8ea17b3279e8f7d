#pragma once
// What a run of `unlearn` needs beside weights, program and passes: for its budget, and for its plan.

#include <cstdint>

#include "grin/data/task.h"
#include "grin/locate/mask.h"
#include "grin/model/decoder.h"
#include "grin/run/unlearn.h"

namespace grin {

struct UnlearnNeeds {
  // Bytes where the model computes.
  int64_t compared = 0;  // what the objective compares with; it lies on the host
  int64_t trained = 0;   // masters, optimiser and the like: see TrainedBytes
  int64_t dense = 0;     // gradients that the method holds whole
  int64_t apart = 0;     // a forget gradient of its own
  int64_t longest = 0;   // tokens that a pass has to take whole

  int64_t before_tuning() const { return compared; }
  int64_t while_tuning() const { return compared + trained + dense + apart; }
};

// `options` as Unlearn resolves them; `locate` is what selects the weights where no mask is given.
UnlearnNeeds NeedsOf(const Model& model, const Task& task, const UnlearnOptions& options,
                     const LocateOptions& locate, const Mask* mask, bool open_unlearning);

}  // namespace grin
