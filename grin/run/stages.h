#pragma once
// The single stages of the method, and plain fine-tuning, each as one call. See unlearn.h for
// messages, errors and threads.

#include <optional>
#include <string>

#include "grin/locate/locate.h"
#include "grin/perturb/options.h"
#include "grin/run/training_output.h"
#include "grin/run/workspace.h"
#include "grin/tune/options.h"
#include "grin/tune/probe.h"
#include "grin/tune/tune.h"

namespace grin {

struct LocateRunOptions {
  LocateOptions locate;
  bool probe = false;    // whether the mask's locality is measured as well
  OutputOptions output;  // the mask file; nothing is written where output.out is empty

  template <typename Visitor>
  void Visit(Visitor& visit) {
    locate.Visit(visit);
  }
};

struct LocateResult {
  Mask mask;
  LocateReport report;
  std::optional<ProbeResult> probe;
};

// Error (usage) for settings that can be seen to be wrong before a model is opened. The runs below
// call theirs themselves.
void CheckRun(const ComputeOptions& compute, const LocateRunOptions& options);

// Finds the weights that hold the forget set.
LocateResult RunLocate(Workspace& workspace, const LoadedTask& task,
                       const LocateRunOptions& options);

struct PerturbRunOptions {
  std::string mask;  // file
  PerturbOptions perturb;
  OutputOptions output;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "mask file that `grin locate` wrote");
    perturb.Visit(visit);
  }
};

// A run's grin.json and, where it has one, its mask.
struct PerturbResult {
  Mask mask;
  Json document;
};

void CheckRun(const ComputeOptions& compute, const PerturbRunOptions& options);

// Noise into the weights of a mask. The workspace needs no encoder.
PerturbResult RunPerturb(Workspace& workspace, const PerturbRunOptions& options);

struct TrainResult {
  TuneReport tuned;  // tuned.guard says why a guard stopped the run, and is empty where none did
  Json document;     // what grin.json says
};

struct TuneRunOptions {
  std::string mask;  // file; empty: every weight is trained
  ObjectiveOptions objective;
  ForgetGradientOptions forget_gradient;
  StepOptions steps;
  OutputOptions output;
  StateOptions state;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "mask file that `grin locate` wrote; default: every weight is trained");
    objective.Visit(visit);
    forget_gradient.Visit(visit);
    steps.Visit(visit);
  }
};

void CheckRun(const ComputeOptions& compute, const TuneRunOptions& options);

// The objective on the weights of a mask.
TrainResult RunTune(Workspace& workspace, const LoadedTask& task, const TuneRunOptions& options);

// The loss of each term over both whole sets and their weighted sum, without training:
// {"objective": ..., "forget_loss": ..., "retain_loss": ..., "loss": ...}.
Json RunTuneDry(Workspace& workspace, const LoadedTask& task, const TuneRunOptions& options);

struct FinetuneRunOptions {
  std::string data;  // files
  std::string mask;  // file; empty: every weight is trained
  StepOptions steps{.lr = 2e-5};
  OutputOptions output;
  StateOptions state;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List("data", data, "what the model is to learn: questions and answers, or text");
    visit("mask", mask, "train only the weights of this mask file; default: every weight");
    steps.Visit(visit);
  }
};

void CheckRun(const ComputeOptions& compute, const FinetuneRunOptions& options);

// Plain supervised fine-tuning of every weight, or of those of a mask.
TrainResult RunFinetune(Workspace& workspace, const FinetuneRunOptions& options);

}  // namespace grin
