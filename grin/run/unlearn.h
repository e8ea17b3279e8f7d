#pragma once
// The method as one call: locate the weights that hold the forget set, perturb them, and tune only
// them; or another method of the table in grin/tune/method.h.
//
//   Workspace workspace = OpenWorkspace({.model = {"MODEL"}});
//   LoadedTask task = LoadTask(workspace, {.forget = "forget.jsonl", .retain = "retain.jsonl"});
//   UnlearnResult result = Unlearn(workspace, task, {.output = {.out = "OUT"}});
//
// Messages, progress and cancellation go through the calling thread's Listener (base/listener.h).
// Errors are grin::Error (base/error.h). The number of threads is LibTorch's: at::set_num_threads.

#include "grin/base/error.h"
#include "grin/base/listener.h"
#include "grin/locate/locate.h"
#include "grin/perturb/options.h"
#include "grin/run/training_output.h"
#include "grin/run/workspace.h"
#include "grin/tune/method.h"
#include "grin/tune/options.h"
#include "grin/tune/reference_store.h"
#include "grin/tune/tune.h"

namespace grin {

// The weights to change, where they are not to be located.
struct MaskFileOptions {
  std::string mask;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("mask", mask, "mask file of the weights to change, instead of locating them");
  }
};

struct UnlearnOptions {
  MethodOptions method;
  MaskFileOptions mask_file;
  LocateOptions locate;
  PerturbOptions perturb;
  ObjectiveOptions objective;
  ForgetGradientOptions forget_gradient;
  StepOptions steps;
  OutputOptions output;        // nothing is written where output.out is empty
  StateOptions state;          // kept beside the output, to go on from
  const Mask* mask = nullptr;  // the weights to change; null: those of the file, or they are located
  // Of this very model and task, shared by several runs that differ in nothing that makes them; null:
  // they are computed. No bit of the result depends on it.
  GradientStore* gradients = nullptr;
  ReferenceStore* references = nullptr;

  // What makes the result: all but the last five.
  template <typename Visitor>
  void Visit(Visitor& visit) {
    method.Visit(visit);
    mask_file.Visit(visit);
    locate.Visit(visit);
    perturb.Visit(visit);
    objective.Visit(visit);
    forget_gradient.Visit(visit);
    steps.Visit(visit);
  }
};

struct UnlearnResult {
  Mask mask;
  LocateReport located;  // empty where the mask was given
  TuneReport tuned;      // tuned.guard says why a guard stopped the run, and is empty where none did
  Json document;         // what grin.json says
};

// Error (usage) for settings that can be seen to be wrong before a model is opened, also those of
// ReserveOutput. Unlearn calls it itself.
void CheckUnlearn(const ComputeOptions& compute, const UnlearnOptions& options);

// Changes the weights of `workspace.model` and, where output.out is set, writes them as a checkpoint
// with all that grin.json, mask and log say. A run that a guard stopped is written all the same, with
// the best state that it had. Error (usage, bad input, memory, interrupted): nothing is written but, if
// the options say so, a state beside the output. With state.resume and an output that is whole already
// nothing is done, and what was written is told.
UnlearnResult Unlearn(Workspace& workspace, const LoadedTask& task, const UnlearnOptions& options);

}  // namespace grin
