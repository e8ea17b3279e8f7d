#include "grin/perturb/shrink.h"

#include <cmath>
#include <string>

#include "grin/perturb/stream_values.h"

namespace grin {

void PerturbShrink(const PerturbInput& input, at::Tensor& values) {
  const RandomStream stream(input.seed, std::string("shrink/").append(input.name));
  const bool matrix = input.shape.size() == 2;
  const double bound =
      matrix ? std::sqrt(6.0 / static_cast<double>(input.shape[0] + input.shape[1])) : 0;
  const double scale = input.shrink * input.shrink_noise * bound;
  const at::Tensor noise = StreamValues(
      stream, input.indices, values.numel(), [&](const RandomStream& random, int64_t position) {
        return scale * (2 * random.Uniform(position) - 1);
      });
  values.copy_(values.to(at::kDouble).mul_(1 - input.shrink).add_(noise.to(values.device())));
}

}  // namespace grin
