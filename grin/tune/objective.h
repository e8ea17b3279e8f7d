#pragma once
// Losses as pure functions with closed-form gradients, of three kinds by what they see: the
// log-probabilities of labelled tokens, whole rows of logits, or the hidden states of one layer.
// Each is one file and one row of the table in objective.cc: see docs/adding-a-method.md. The
// forward and backward pass around them is grin/tune/accumulate.h. Formulas: docs/formulas.md,
// "Objectives".

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace grin {

// A number that an objective takes. Its name is a flag and a TOML key; objectives may share one.
struct ObjectiveParameter {
  std::string_view name;
  double value = 0;  // what the objective takes where the user gives none
  std::string_view help;
};

// What an objective's function is told besides its values.
struct ObjectiveSettings {
  std::map<std::string, double, std::less<>> parameters;
  int64_t layer = -1;            // whose hidden states are seen, from 0; -1: see HiddenLayer
  uint64_t seed = 0;             // of whatever is random in it
  bool open_unlearning = false;  // --compat open-unlearning: that tool's own value

  // Error (internal) for a parameter that is missing.
  double operator[](std::string_view name) const;
};

// Labelled tokens of S sequences end to end. Of pairs the sequences come in twos: the answer to be
// forgotten, and the one to be preferred.
struct TokenValues {
  at::Tensor logp;               // fp32 [N]
  at::Tensor reference;          // fp32 [N], of the untouched model; undefined where not needed
  at::Tensor weight;             // fp32 [N], >= 0, not all 0 in any sequence
  std::vector<int64_t> offsets;  // [S + 1], from 0 to N
  std::vector<double> shares;    // of each sequence, or pair, in the mean that the loss is
};

// On the device of the log-probabilities.
struct LossAndGradient {
  at::Tensor loss;      // double []
  at::Tensor gradient;  // d loss / d logp, fp32 [N]
};

// Sees N numbers and may weigh them against each other.
struct OnLogp {
  // The sum over the sequences given, each times its share, so that the passes of a step add up to
  // the exact mean. It must not read what lies on a device, for which the host would have to wait: it
  // is written as operators on tensors. Error (internal) for a sequence without weight on the CPU.
  LossAndGradient (*loss)(const TokenValues& values, const ObjectiveSettings& settings);
};

// Rows that predict labelled tokens, one for each of c labels.
struct RowValues {
  at::Tensor values;     // fp32 [c, n]: logits (n: vocabulary) or hidden states (n: width)
  at::Tensor reference;  // the same of the untouched model; undefined where not needed
  at::Tensor tokens;     // int64 [c]: the labels
};

// Returns the loss of each row, fp32 [c], and puts its derivative by that row in the place of
// `values`; may overwrite `reference` too. It must not read what lies on a device. The mean over sequences of the weighted mean over their
// labels is taken outside. Chunks of any number of rows give the same.
using RowLoss = at::Tensor (*)(RowValues& rows, const ObjectiveSettings& settings);

struct OnLogits {
  RowLoss loss;
};

struct OnHidden {
  RowLoss loss;
};

// What an objective's sequences answer the forget prompts with.
enum class Answers {
  kTrue,            // the answers to be forgotten
  kRefusals,        // refusals, drawn from --refusals
  kRefusalTargets,  // the true answer is read, and a refusal's tokens, over and over, are predicted
  kOverRefusals,    // pairs: the true answer, and a refusal to be preferred
  kOverAlternates,  // pairs: the true answer, and an alternate one to be preferred
};

// Which rows count in a loss, and over what its mean is taken.
struct Counting {
  enum class Rows {
    kPredicting,  // those that predict the labels
    kOfLabels,    // those of the labels themselves, one further on
    kAll,         // every one, of prompts and of the padding up to a batch's longest sequence too
    kAllButLast,  // of those all but the last of a sequence. A row that predicts no label has the
                  // token V - 100, which the index -100 means
  };
  enum class Mean {
    kSequences,  // over sequences, of the weighted mean over a sequence's labels
    kTokens,     // over all labels of a batch
    kBroadcast,  // over all pairs of sequences in a batch: the one's sum over rows, divided by the
                 // other's number of them and by the width
  };
  Rows rows = Rows::kPredicting;
  Mean mean = Mean::kSequences;
};

// Below, NLL_i = -sum_t w_t lp_t and T_i = sum_t w_t over the tokens of sequence i.
struct Objective {
  std::string_view name;
  std::string_view formula;                             // one line, for --help
  std::span<const ObjectiveParameter> parameters = {};  // its own
  double gamma = 1, alpha = 1;                          // weights of forget and retain loss
  std::string_view retain_default = "nll";  // the retain objective of --retain-loss auto
  Answers answers = Answers::kTrue;
  bool needs_reference = false;  // compares with the untouched model
  // Whether alpha is only the start of the retain loss's weight: see DualWeight.
  bool dual_retain = false;
  Counting open_unlearning = {};      // how OpenUnlearning counts, where it has the objective
  double open_unlearning_gamma = -1;  // its weight of the forget loss; -1: the same
  std::variant<OnLogp, OnLogits, OnHidden> kind;

  bool on_hidden() const { return std::holds_alternative<OnHidden>(kind); }
  bool pairs() const {
    return answers == Answers::kOverRefusals || answers == Answers::kOverAlternates;
  }
};

// What pushes the forget set away.
std::span<const Objective> ForgetObjectives();
// What holds the retain set.
std::span<const Objective> RetainObjectives();

// Error (usage) that lists the known ones and names the nearest.
const Objective& FindForgetObjective(std::string_view name);
const Objective& FindRetainObjective(std::string_view name);

// The parameters of all objectives, each name once, with a help that tells every objective's
// default.
struct NamedParameter {
  std::string name, help;
};
const std::vector<NamedParameter>& ObjectiveParameters();

// "0.01 for ul, 0.05 for npo, else 1": the values of a row's gamma or alpha.
std::string DefaultsOf(double Objective::*weight);

// "activations for rmu, ..., else nll": what --retain-loss auto means.
std::string RetainDefaults();

bool HasParameter(const Objective& objective, std::string_view name);

// Settings with an objective's own parameters.
ObjectiveSettings DefaultSettings(const Objective& objective);

}  // namespace grin
