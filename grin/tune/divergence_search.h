#pragma once
// How far to go along a fixed direction until the model's distribution has moved by a given divergence.
// Steps of any size along it, one after another, are the same as one step of their sum.

#include <optional>
#include <span>

namespace grin {

struct DivergenceTrial {
  double distance = 0;    // how far the weights stood from the start, in units of the direction
  double divergence = 0;  // what was measured there; not finite counts as too much
};

// The farthest trial whose divergence does not exceed `bound`; null where there is none.
const DivergenceTrial* FarthestWithin(std::span<const DivergenceTrial> trials, double bound);

// Where to go next: twice as far until the bound is passed, then between what is within it and what is
// not (their geometric mean). Nothing where a trial lies between 0.95 of the bound and the bound, or
// after `most` trials.
std::optional<double> NextDistance(std::span<const DivergenceTrial> trials, double first, double bound,
                                   size_t most);

}  // namespace grin
