// Losses that see the hidden states of one layer; the layers above do not run.

#include <cmath>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/tune/losses.h"

namespace grin {
namespace {

// Squared distance of rows.values [c, d] to `target` ([d] or [c, d]); the values become its
// derivative.
at::Tensor SquaredDistance(RowValues& rows, const at::Tensor& target) {
  rows.values.sub_(target);
  const at::Tensor loss = rows.values.square().sum(-1);
  rows.values.mul_(2);
  return loss;
}

}  // namespace

at::Tensor SteeringDirection(uint64_t seed, int64_t width) {
  const RandomStream random(seed, "steering");
  std::vector<double> direction(width);
  double square = 0;
  for (int64_t i = 0; i < width; ++i) {
    direction[i] = random.Normal(i);
    square += direction[i] * direction[i];
  }
  return at::tensor(direction, at::kDouble).div_(std::sqrt(square)).to(at::kFloat);
}

at::Tensor DistanceToSteering(RowValues& rows, const ObjectiveSettings& settings) {
  const at::Tensor direction = SteeringDirection(settings.seed, rows.values.size(1));
  return SquaredDistance(rows, direction.mul(settings.steering).to(rows.values.device()));
}

at::Tensor DistanceToReference(RowValues& rows, const ObjectiveSettings&) {
  if (!rows.reference.defined()) Defect("tune", "the reference's activations are missing");
  return SquaredDistance(rows, rows.reference);
}

}  // namespace grin
