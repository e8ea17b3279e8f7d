#pragma once
// The functions behind the rows of the objectives' tables (grin/tune/objective.cc), each in the file of
// its kind. What they are given and return is described in grin/tune/objective.h; their formulas are
// in docs/formulas.md.

#include "grin/tune/objective.h"

namespace grin {

// On log-probabilities.
LossAndGradient NegativeLogLikelihood(const TokenValues&, const ObjectiveSettings&, double scale);
LossAndGradient GradientAscent(const TokenValues&, const ObjectiveSettings&, double scale);
LossAndGradient NegativePreference(const TokenValues&, const ObjectiveSettings&, double scale);
LossAndGradient SimpleNegativePreference(const TokenValues&, const ObjectiveSettings&,
                                         double scale);
LossAndGradient Unlikelihood(const TokenValues&, const ObjectiveSettings&, double scale);
LossAndGradient Nothing(const TokenValues&, const ObjectiveSettings&, double scale);

// On rows of logits.
at::Tensor DivergenceFromReference(RowValues&, const ObjectiveSettings&);

// On hidden states.
at::Tensor DistanceToSteering(RowValues&, const ObjectiveSettings&);
at::Tensor DistanceToReference(RowValues&, const ObjectiveSettings&);

// The direction that DistanceToSteering pulls to: a unit vector, fp32 [width], uniform on the sphere.
// A pure function of its arguments.
at::Tensor SteeringDirection(uint64_t seed, int64_t width);

}  // namespace grin
