#include "grin/tune/objective.h"

#include <array>

#include "grin/base/table.h"
#include "grin/tune/losses.h"

namespace grin {
namespace {

constexpr std::array kForget{
    Objective{.name = "ga",
              .formula = "-mean_i NLL_i / T_i, by itself",
              .retain_default = "none",
              .kind = OnLogp{GradientAscent}},
    Objective{.name = "graddiff",
              .formula = "-mean_i NLL_i / T_i",
              .retain_default = "nll",
              .kind = OnLogp{GradientAscent}},
    Objective{.name = "npo",
              .formula = "-(2 / beta) mean_i log sigmoid(beta (NLL_i - NLL_i^ref))",
              .needs_reference = true,
              .retain_default = "nll",
              .defaults = {.beta = 0.1},
              .kind = OnLogp{NegativePreference}},
    Objective{.name = "simnpo",
              .formula = "-(2 / beta) mean_i log sigmoid(beta (NLL_i / T_i - delta))",
              .retain_default = "nll",
              .defaults = {.beta = 4.5, .delta = 0},
              .kind = OnLogp{SimpleNegativePreference}},
    Objective{.name = "ul",
              .formula = "mean_i mean_t -log(1 - p_t)",
              .retain_default = "nll",
              .kind = OnLogp{Unlikelihood}},
    Objective{.name = "po",
              .formula = "mean_i NLL_i / T_i of refusals",
              .uses_refusals = true,
              .retain_default = "nll",
              .kind = OnLogp{NegativeLogLikelihood}},
    Objective{.name = "rmu",
              .formula = "mean_i mean_t |h_t - steering u|^2, h_t after --layer, u a random direction",
              .retain_default = "activations",
              .defaults = {.steering = 2},
              .kind = OnHidden{DistanceToSteering}},
};

constexpr std::array kRetain{
    Objective{.name = "nll",
              .formula = "mean_i NLL_i / T_i",
              .retain_default = "none",
              .kind = OnLogp{NegativeLogLikelihood}},
    Objective{.name = "kl",
              .formula = "mean_i mean_t KL(p_t^ref || p_t)",
              .needs_reference = true,
              .retain_default = "none",
              .kind = OnLogits{DivergenceFromReference}},
    Objective{.name = "activations",
              .formula = "mean_i mean_t |h_t - h_t^ref|^2, h_t after --layer",
              .needs_reference = true,
              .retain_default = "none",
              .kind = OnHidden{DistanceToReference}},
    Objective{.name = "none", .formula = "0", .retain_default = "none", .kind = OnLogp{Nothing}},
};

}  // namespace

std::span<const Objective> ForgetObjectives() { return kForget; }
std::span<const Objective> RetainObjectives() { return kRetain; }

const Objective& FindForgetObjective(std::string_view name) {
  return FindRow("tune", "objective", kForget, name);
}

const Objective& FindRetainObjective(std::string_view name) {
  return FindRow("tune", "retain objective", kRetain, name);
}

}  // namespace grin
