#pragma once
// The settings of the tune stage: the single source for flags, TOML keys, help and recipe.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "grin/base/table.h"
#include "grin/tune/alternates.h"
#include "grin/tune/objective.h"

namespace grin {

// Shared by `tune`, `unlearn` and `finetune`.
struct StepOptions {
  int64_t batch_size = 8;
  int64_t accumulate = 1;
  int64_t epochs = 10;
  int64_t steps = 0;
  double lr = 1e-3;
  std::string schedule = "linear";
  int64_t warmup = 0;
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
  double collapse = 4.0;
  double outlier = 20.0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("batch-size", batch_size, "sequences of each set in a batch");
    visit("accumulate", accumulate, "batches per optimiser step");
    visit("epochs", epochs, "passes over the forget set (finetune: over the data)");
    visit("steps", steps, "optimiser steps, instead of --epochs; 0: by --epochs");
    visit("lr", lr, "highest learning rate");
    visit("schedule", schedule, "of the learning rate: linear, cosine (both to 0), constant");
    visit("warmup", warmup, "steps over which the learning rate rises from 0");
    visit("weight-decay", weight_decay, "AdamW's, on selected weights only");
    visit("max-grad-norm", max_grad_norm, "gradients are clipped to this norm; 0: not clipped");
    visit("collapse", collapse,
          "stop when the loss on what is to be known exceeds this multiple of its start (at least "
          "0.5 nats); 0: never");
    visit("outlier", outlier,
          "skip a step whose loss on what is to be known, or whose gradient norm, stands this many "
          "spreads above the last steps; 0: never");
  }
};

// What is left open here the objective decides: see Resolved.
struct ObjectiveOptions {
  std::string objective = "npo";
  std::map<std::string, std::optional<double>, std::less<>> parameters;  // see ObjectiveParameters
  std::optional<double> gamma;
  std::string retain_loss = "auto";
  std::optional<double> alpha;
  int64_t layer = -1;
  std::string forget_tokens;
  std::string refusals;
  std::string alternates;
  std::string keep = "best";

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("objective", objective,
          "what pushes the forget set away: " + NamesOf(ForgetObjectives()));
    for (const NamedParameter& parameter : ObjectiveParameters()) {
      visit(parameter.name, parameters[parameter.name], parameter.help);
    }
    visit("gamma", gamma,
          "weight of the forget loss; default: " + DefaultsOf(&Objective::gamma) +
              "; with --compat open-unlearning npo has 1");
    visit("retain-loss", retain_loss,
          "what holds the rest: " + NamesOf(RetainObjectives()) + "; auto: " + RetainDefaults());
    visit("alpha", alpha, "weight of the retain loss; default: " + DefaultsOf(&Objective::alpha));
    visit("layer", layer,
          "of rmu and activations: the layer whose output is steered or held, from 0; the layers "
          "above do not run and are not trained; -1: the one just below the middle");
    visit("forget-tokens", forget_tokens,
          "all; keywords: push away only the words that carry the fact; learned: a scorer learns "
          "which; default: keywords, with --compat open-unlearning all");
    visit("refusals", refusals,
          "file of refusals, one per line, for po, dpo and jensun (which without one takes 'No "
          "idea')");
    visit("alternates", alternates,
          "of altpo: the column of the forget set with answers to prefer, or 'model': the model "
          "makes them up before it is tuned; default: " +
              AlternateColumns() + " where the set has one, else model");
    visit("keep", keep, "best: the step of the best trade-off on the training data; or last");
  }
};

// The options with all that the objective decides filled in: gamma, alpha, its own parameters, the
// retain loss, which tokens forget. Parameters that it does not have are left out.
ObjectiveOptions Resolved(ObjectiveOptions options, bool open_unlearning);

// A warning for each parameter that was set and that the objective does not have.
void WarnOfUnused(const ObjectiveOptions& options);

}  // namespace grin
