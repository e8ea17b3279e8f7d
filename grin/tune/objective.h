#pragma once
// Losses as pure functions with closed-form gradients, of three kinds by what they see: the
// log-probabilities of labelled tokens, whole rows of logits, or the hidden states of one layer. The
// forward and backward pass around them is grin/tune/accumulate.h. Formulas: docs/formulas.md,
// "Objectives".

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace grin {

struct ObjectiveSettings {
  double beta = 0;      // sharpness of npo and simnpo
  double delta = 0;     // margin of simnpo, nats per token
  double steering = 0;  // length of the vector that rmu pulls to
  int64_t layer = -1;   // whose hidden states are seen, from 0; -1: see HiddenLayer
  uint64_t seed = 0;    // of the direction of that vector
};

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

// Sees N numbers and may weigh them against each other.
struct OnLogp {
  // `scale` times the sum over the sequences given. With scale = 1 / (sequences in the whole step)
  // the passes of a step add up to the exact mean. Error (internal) for a sequence without weight.
  LossAndGradient (*loss)(const TokenValues& values, const ObjectiveSettings& settings,
                          double scale);
};

// Rows that predict labelled tokens, one for each of c labels.
struct RowValues {
  at::Tensor values;     // fp32 [c, n]: logits (n: vocabulary) or hidden states (n: width)
  at::Tensor reference;  // the same of the untouched model; undefined where not needed
  at::Tensor tokens;     // int64 [c]: the labels
};

// Returns the loss of each row, fp32 [c], and puts its derivative by that row in the place of
// `values`; may overwrite `reference` too. The mean over sequences of the weighted mean over their
// labels is taken outside. Chunks of any number of rows give the same.
using RowLoss = at::Tensor (*)(RowValues& rows, const ObjectiveSettings& settings);

struct OnLogits {
  RowLoss loss;
};

struct OnHidden {
  RowLoss loss;
};

// Below, NLL_i = -sum_t w_t lp_t and T_i = sum_t w_t over the tokens of sequence i.
struct Objective {
  std::string_view name;
  std::string_view formula;         // one line, for --help
  bool needs_reference;             // compares with the untouched model
  bool uses_refusals;               // its sequences answer the forget prompts with refusals
  std::string_view retain_default;  // the retain objective that joins it; "none": none ever does
  ObjectiveSettings defaults;       // what a recipe without beta, delta or steering means
  std::variant<OnLogp, OnLogits, OnHidden> kind;

  bool on_hidden() const { return std::holds_alternative<OnHidden>(kind); }
};

// What pushes the forget set away: ga, graddiff, npo, simnpo, ul, po, rmu.
std::span<const Objective> ForgetObjectives();
// What holds the retain set: nll, kl, activations, none.
std::span<const Objective> RetainObjectives();

// Error (usage) that lists the known ones and names the nearest.
const Objective& FindForgetObjective(std::string_view name);
const Objective& FindRetainObjective(std::string_view name);

}  // namespace grin
