#include "grin/tune/perturb_stage.h"

#include "grin/base/error.h"
#include "grin/model/device.h"

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
  if (!(options.shrink >= 0 && options.shrink <= 1)) {
    BadUsage("perturb", "--shrink is {}; it must be 0 to 1", options.shrink);
  }
  if (!(options.shrink_noise >= 0)) {
    BadUsage("perturb", "--shrink-noise is {}; it must not be negative", options.shrink_noise);
  }
}

void Perturb(const Model& model, Trainable& trainable, const PerturbOptions& options,
             uint64_t seed) {
  CheckPerturbOptions(options);
  const Perturbation& perturbation = FindPerturbation(options.perturb);
  const bool relative = options.noise_scale == "relative";
  if (perturbation.name == "none" || (perturbation.uses_sigma && options.noise == 0)) return;
  for (MaskedParameter& parameter : trainable.parameters()) {
    // On the CPU whatever the device: the same numbers to the bit, once in a run.
    const at::Tensor weight = Download(model.weights->tensors().at(parameter.name));
    PerturbInput input{.name = parameter.name,
                       .indices = parameter.indices.defined()
                                      ? Download(parameter.indices).to(at::kLong)
                                      : parameter.indices,
                       .shape = weight.sizes(),
                       .shrink = options.shrink,
                       .shrink_noise = options.shrink_noise,
                       .seed = seed};
    if (perturbation.uses_moments || (perturbation.uses_sigma && relative)) {
      input.moments = MomentsOf(weight);
    }
    input.sigma = options.noise * (relative ? input.moments.deviation : 1.0);
    at::Tensor master = Download(parameter.master);
    perturbation.function(input, master);
    parameter.master.copy_(master);
  }
  trainable.WriteBack();
}

}  // namespace grin
