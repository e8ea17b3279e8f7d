#pragma once
// The settings of what unlearn does, for the commands that have them: unlearn itself, and plan.

#include "grin/cli/flags.h"
#include "grin/run/unlearn.h"

namespace grin {

// But for the output and its state.
inline void BindStages(Flags& flags, UnlearnOptions& unlearn) {
  flags.Bind("Method", unlearn.method);
  flags.Bind("Locate: which weights hold the forget data", unlearn.mask_file);
  flags.Bind("Locate: which weights hold the forget data", unlearn.locate);
  flags.Bind("Perturb: shake them loose", unlearn.perturb);
  flags.Bind("Tune: fine-tune only those", unlearn.objective);
  flags.Bind("Tune: the forget gradient", unlearn.forget_gradient);
  flags.Bind("Tune: steps", unlearn.steps);
}

}  // namespace grin
