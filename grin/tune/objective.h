#pragma once
// Losses as pure functions of the labelled tokens' log-probabilities, with closed-form gradients;
// they never see logits. Formulas: docs, "Objectives".

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace grin {

// Labelled tokens of S sequences end to end.
struct TokenValues {
  at::Tensor logp;               // fp32 [N]
  at::Tensor reference;          // fp32 [N], of the untouched model; undefined where not needed
  at::Tensor weight;             // fp32 [N], >= 0, not all 0 in any sequence
  std::vector<int64_t> offsets;  // [S + 1], from 0 to N
};

struct LossAndGradient {
  double loss = 0;
  at::Tensor gradient;  // d loss / d logp, fp32 [N]
};

struct ObjectiveSettings {
  double beta = 0;   // sharpness of npo and simnpo
  double delta = 0;  // margin of simnpo, nats per token
};

// Below, NLL_i = -sum_t w_t lp_t and T_i = sum_t w_t over the tokens of sequence i.
struct Objective {
  std::string_view name;
  std::string_view formula;    // one line, for --help
  bool needs_reference;        // reads TokenValues::reference
  bool uses_refusals;          // its sequences answer the forget prompts with refusals
  bool has_retain_default;     // joined by a retain term unless the recipe says otherwise
  ObjectiveSettings defaults;  // what a recipe without beta or delta means
  // `scale` times the sum over the sequences given. With scale = 1 / (sequences in the whole step)
  // the passes of a step add up to the exact mean. Error (internal) for a sequence without weight.
  LossAndGradient (*function)(const TokenValues& values, const ObjectiveSettings& settings,
                              double scale);
};

// What pushes the forget set away: ga, graddiff, npo, simnpo, ul, po.
std::span<const Objective> ForgetObjectives();
// What holds the retain set: nll, none.
std::span<const Objective> RetainObjectives();

// Error (usage) that lists the known ones and names the nearest.
const Objective& FindForgetObjective(std::string_view name);
const Objective& FindRetainObjective(std::string_view name);

}  // namespace grin
