// RMU (Li et al. 2024, arXiv 2403.03218): hidden states of the forget set are pulled to a random
// vector, those of the retain set are held where they were. The layers above do not run.

#include <cmath>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/model/device.h"
#include "grin/tune/objective.h"
#include "grin/tune/steering.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kSteeringParameters[] = {
    {"steering", 2,
     "length of the random vector that the forget set's activations are pulled to, for which the "
     "log "
     "gives their own length as a measure"}};

// Squared distance of rows.values [c, d] to `target` ([d] or [c, d]); the values become its
// derivative.
at::Tensor SquaredDistance(RowValues& rows, const at::Tensor& target) {
  rows.values.sub_(target);
  const at::Tensor loss = rows.values.square().sum(-1);
  rows.values.mul_(2);
  return loss;
}

at::Tensor SteeringLoss(RowValues& rows, const ObjectiveSettings& settings) {
  const at::Tensor direction =
      SteeringDirection(settings.seed, rows.values.size(1), settings.open_unlearning);
  return SquaredDistance(rows,
                         Upload(direction.mul(settings["steering"]), rows.values.device()));
}

at::Tensor ReferenceDistanceLoss(RowValues& rows, const ObjectiveSettings&) {
  if (!rows.reference.defined()) Defect("tune", "the reference's activations are missing");
  return SquaredDistance(rows, rows.reference);
}

constexpr Counting kShiftedAndBroadcast{.rows = Counting::Rows::kOfLabels,
                                        .mean = Counting::Mean::kBroadcast};

}  // namespace

at::Tensor SteeringDirection(uint64_t seed, int64_t width, bool positive) {
  const RandomStream random(seed, "steering");
  std::vector<double> direction(width);
  double square = 0;
  for (int64_t i = 0; i < width; ++i) {
    direction[i] = positive ? random.Uniform(i) : random.Normal(i);
    square += direction[i] * direction[i];
  }
  return at::tensor(direction, at::kDouble).div_(std::sqrt(square)).to(at::kFloat);
}

extern const Objective kSteering;
const Objective kSteering = {
    .name = "rmu",
    .formula = "mean_i mean_t |h_t - steering u|^2, h_t after --layer, u a random direction",
    .parameters = kSteeringParameters,
    .retain_default = "activations",
    .open_unlearning = kShiftedAndBroadcast,
    .kind = OnHidden{SteeringLoss}};

extern const Objective kDistanceToReference;
const Objective kDistanceToReference = {
    .name = "activations",
    .formula = "mean_i mean_t |h_t - h_t^ref|^2, h_t after --layer",
    .needs_reference = true,
    .open_unlearning = kShiftedAndBroadcast,
    .kind = OnHidden{ReferenceDistanceLoss}};

}  // namespace grin
