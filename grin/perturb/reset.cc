#include "grin/perturb/reset.h"

#include <string>

#include "grin/perturb/stream_values.h"

namespace grin {

void PerturbReset(const PerturbInput& input, at::Tensor& values) {
  const RandomStream stream(input.seed, std::string("reset/").append(input.name));
  values.copy_(StreamValues(stream, input.indices, values.numel(),
                            [&](const RandomStream& random, int64_t position) {
                              return input.moments.mean +
                                     input.moments.deviation * random.Normal(position);
                            }));
}

}  // namespace grin
