#pragma once

#include <string>

#include "grin/base/table.h"
#include "grin/perturb/perturb.h"

namespace grin {

struct PerturbOptions {
  std::string perturb = "gaussian";
  double noise = 0.3;
  std::string noise_scale = "relative";
  double shrink = 0.25;
  double shrink_noise = 0.1;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("perturb", perturb, "what is done to the selected weights: " + NamesOf(Perturbations()));
    visit("noise", noise, "standard deviation of gaussian noise, see --noise-scale; 0: no noise");
    visit("noise-scale", noise_scale,
          "relative: in units of the weight tensor's own standard deviation; or absolute");
    visit("shrink", shrink,
          "a of --perturb shrink, (1 - a) theta + a b noise: 0 leaves the weights, 1 leaves noise alone");
    visit("shrink-noise", shrink_noise, "b of shrink: the noise, in units of Xavier's initialisation");
  }
};

}  // namespace grin
