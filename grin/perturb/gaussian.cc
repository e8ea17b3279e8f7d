#include "grin/perturb/gaussian.h"

#include <string>

#include "grin/base/random.h"
#include "grin/model/parallel.h"

namespace grin {

void PerturbGaussian(std::string_view name, const at::Tensor& indices, at::Tensor& values,
                     double sigma, uint64_t seed) {
  const RandomStream stream(seed, std::string("perturb/").append(name));
  const int64_t* positions = indices.defined() ? indices.const_data_ptr<int64_t>() : nullptr;
  float* value = values.mutable_data_ptr<float>();
  ForEachPiece(values.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double noise = sigma * stream.Normal(positions ? positions[i] : i);
      value[i] = static_cast<float>(value[i] + noise);
    }
  });
}

}  // namespace grin
