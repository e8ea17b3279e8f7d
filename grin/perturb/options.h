#pragma once

#include <string>

#include "grin/base/table.h"
#include "grin/perturb/perturb.h"

namespace grin {

struct PerturbOptions {
  std::string perturb = "gaussian";
  double noise = 0.3;
  std::string noise_scale = "relative";

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("perturb", perturb, "what is done to the selected weights: " + NamesOf(Perturbations()));
    visit("noise", noise, "standard deviation of the noise, see --noise-scale; 0: no noise");
    visit("noise-scale", noise_scale,
          "relative: in units of the weight tensor's own standard deviation; or absolute");
  }
};

}  // namespace grin
