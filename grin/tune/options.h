#pragma once
// The settings of the tune stage: the single source for flags, TOML keys, help and recipe.

#include <cstdint>
#include <string>

#include "grin/base/table.h"
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

struct ObjectiveOptions {
  std::string objective = "npo";
  double beta = 0;
  double delta = 0;
  double gamma = 0.05;
  std::string retain_loss = "auto";
  double alpha = 1.0;
  int64_t layer = -1;
  double steering = 0;
  std::string forget_tokens = "keywords";
  std::string refusals;
  std::string keep = "best";

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("objective", objective,
          "what pushes the forget set away: " + NamesOf(ForgetObjectives()));
    visit("beta", beta, "of npo (0.1) and simnpo (4.5); 0: the objective's own default");
    visit("delta", delta, "margin of simnpo, nats per token");
    visit("gamma", gamma, "weight of the forget loss");
    visit("retain-loss", retain_loss,
          "what holds the rest: " + NamesOf(RetainObjectives()) +
              "; auto: activations for rmu, else nll");
    visit("alpha", alpha, "weight of the retain loss");
    visit("layer", layer,
          "of rmu and activations: the layer whose output is steered or held, from 0; the layers "
          "above do not run and are not trained; -1: the one just below the middle");
    visit("steering", steering,
          "of rmu: the length of the random vector that the forget set's activations are pulled to, "
          "for which the log gives their own length as a measure; 0: 2");
    visit("forget-tokens", forget_tokens,
          "all, or keywords: push away only the words that carry the fact");
    visit("refusals", refusals, "file of refusals, one per line, for --objective po");
    visit("keep", keep, "best: the step of the best trade-off on the training data; or last");
  }
};

}  // namespace grin
