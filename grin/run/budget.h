#pragma once
// What --memory-budget leaves for passes, and what a run needs besides them. A budget is kept by
// smaller passes, or the run is refused before it begins; it is a plan, not a limit that the system
// enforces.

#include <cstdint>
#include <string>

#include "grin/data/task.h"
#include "grin/locate/locate.h"
#include "grin/model/decoder.h"
#include "grin/run/options.h"
#include "grin/tune/method.h"
#include "grin/tune/options.h"

namespace grin {

// "2G", "512M", "1.5GiB", "1000000" -> bytes. Error (usage) for anything else.
int64_t ParseBytes(const std::string& text);

// Bytes of the gradients that scoring takes: two in fp32 of every weight in scope.
int64_t ScoreBytes(const Model& model, const LocateOptions& options);

// Bytes of masters, optimiser state, gradients, states to go back to and the tensors' own memory, for
// the weights that the options will select, that a mask selects, or that are all trained. Where
// `keeps_states` is false the run cannot go back to a step.
int64_t TrainedBytes(const Model& model, const LocateOptions& options);
int64_t TrainedBytes(const Model& model, const Mask& mask);
int64_t TrainedBytes(const Model& model, bool keeps_states);

// Bytes of what the objectives compare with: values of the untouched model at every label.
int64_t ReferenceBytes(const Model& model, const Task& task, const ObjectiveOptions& options,
                       bool open_unlearning = false);

// Tokens of the longest that a pass has to take whole: a sequence, or of an objective on pairs two.
int64_t LongestUnit(const Task& task, const ObjectiveOptions& options);

// The same for a method other than tune, which compares distributions on retain text at most.
int64_t MethodReferenceBytes(const Model& model, const Task& task, const Method& method);

// How many weights the options will select, at most.
int64_t SelectedCount(const Model& model, const LocateOptions& options);

// Bytes of one dense gradient of every weight of which a mask selects something.
int64_t MatrixBytes(const Model& model, const Mask& mask);

// Bytes of a forget gradient that stands apart, and of the copies that a rehearsal takes, for so many
// selected weights.
int64_t ForgetGradientBytes(int64_t selected, const ForgetGradientOptions& options);

// Error (memory) when the weights and `reserved` bytes for other things do not fit.
void CheckBudget(const Model& model, const ComputeOptions& compute, int64_t reserved);

// Tokens of a pass that is recorded for its gradients, where `reserved` bytes are needed for other
// things. Error (memory) when a sequence of `longest` tokens does not fit.
int64_t RecordedPassTokens(const Model& model, const ComputeOptions& compute, int64_t reserved,
                           int64_t longest);

// Tokens of a pass that only scores. Error (memory) likewise.
int64_t ScoringPassTokens(const Model& model, const ComputeOptions& compute, int64_t reserved,
                          int64_t longest);

// Error (memory) when the gradient of one sequence of `longest` tokens by every weight does not fit.
void CheckGradientBudget(const Model& model, const ComputeOptions& compute, int64_t longest);

// Bytes for what generation keeps and computes at one time: half of what the weights leave of the
// budget is for keys and values, the other for the pass. Both 0 where there is no budget.
struct GenerationBudget {
  int64_t cache_bytes = 0;     // of keys and values
  int64_t prefill_tokens = 0;  // of one pass over prompts
};
GenerationBudget BudgetGeneration(const Model& model, const ComputeOptions& compute);

}  // namespace grin
