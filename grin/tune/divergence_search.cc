#include "grin/tune/divergence_search.h"

#include <algorithm>
#include <cmath>

namespace grin {
namespace {

constexpr double kEnough = 0.95;
constexpr double kShrink = 8;  // where even the first trial went too far

bool IsWithin(const DivergenceTrial& trial, double bound) { return trial.divergence <= bound; }

}  // namespace

const DivergenceTrial* FarthestWithin(std::span<const DivergenceTrial> trials, double bound) {
  const DivergenceTrial* farthest = nullptr;
  for (const DivergenceTrial& trial : trials) {
    if (!IsWithin(trial, bound)) continue;
    if (!farthest || trial.distance > farthest->distance) farthest = &trial;
  }
  return farthest;
}

std::optional<double> NextDistance(std::span<const DivergenceTrial> trials, double first, double bound,
                                   size_t most) {
  if (trials.empty()) return first;
  const DivergenceTrial* within = FarthestWithin(trials, bound);
  const DivergenceTrial* beyond = nullptr;
  for (const DivergenceTrial& trial : trials) {
    if (IsWithin(trial, bound)) continue;
    if (!beyond || trial.distance < beyond->distance) beyond = &trial;
  }
  if (trials.size() >= most || (within && within->divergence >= kEnough * bound)) return {};
  if (!beyond) return 2 * within->distance;
  if (!within) return beyond->distance / kShrink;
  return std::sqrt(within->distance * beyond->distance);
}

}  // namespace grin
