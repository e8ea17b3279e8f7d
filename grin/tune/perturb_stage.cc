#include "grin/tune/perturb_stage.h"

#include "grin/base/error.h"

namespace grin {

void CheckPerturbOptions(const PerturbOptions& options) {
  FindPerturbation(options.perturb);
  if (options.noise_scale != "relative" && options.noise_scale != "absolute") {
    BadUsage("perturb", "--noise-scale '{}' is not known; it is relative or absolute",
             options.noise_scale);
  }
  if (!(options.noise >= 0)) {
    BadUsage("perturb", "--noise is {}; it must not be negative", options.noise);
  }
}

void Perturb(const Model& model, Trainable& trainable, const PerturbOptions& options,
             uint64_t seed) {
  CheckPerturbOptions(options);
  const Perturbation& perturbation = FindPerturbation(options.perturb);
  const bool relative = options.noise_scale == "relative";
  if (options.noise == 0) return;
  for (MaskedParameter& parameter : trainable.parameters()) {
    const double unit =
        relative ? StandardDeviation(model.weights->tensors().at(parameter.name)) : 1.0;
    const at::Tensor indices =
        parameter.indices.defined() ? parameter.indices.to(at::kLong) : parameter.indices;
    perturbation.function(parameter.name, indices, parameter.master, options.noise * unit, seed);
  }
  trainable.WriteBack();
}

}  // namespace grin
