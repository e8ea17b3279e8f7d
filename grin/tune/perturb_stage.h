#pragma once
// The perturb stage: noise into the trainable entries.

#include "grin/perturb/options.h"
#include "grin/tune/trainable.h"

namespace grin {

// Error (usage) for settings out of range.
void CheckPerturbOptions(const PerturbOptions& options);

// Perturbs every trainable entry and writes it back. Error (usage) for settings out of range.
void Perturb(const Model& model, Trainable& trainable, const PerturbOptions& options,
             uint64_t seed);

}  // namespace grin
