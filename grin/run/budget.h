#pragma once
// What --memory-budget leaves for passes, and what a run needs besides them; on another device than the
// CPU the budget is of that device's memory, and what is free there limits it. A budget is kept by
// smaller passes and by locating in parts, or the run is refused before it begins; it is a plan, not a
// limit that the system enforces.

#include <cstdint>
#include <optional>
#include <string>

#include "grin/data/task.h"
#include "grin/locate/locate.h"
#include "grin/model/decoder.h"
#include "grin/run/locate_fit.h"
#include "grin/run/options.h"
#include "grin/tune/method.h"
#include "grin/tune/options.h"

namespace grin {

// "2G", "512M", "1.5GiB", "1000000" -> bytes. Error (usage) for anything else.
int64_t ParseBytes(const std::string& text);

// Bytes of the weights that a model computes with, and of all that a process takes there beside tensors
// of its own (on the CPU, logits of a chunk included).
int64_t WeightBytes(const Model& model);
int64_t ProgramBytes(const Model& model);

// Bytes that a run may take beside the weights and the program: what the budget leaves, and on another
// device than the CPU at most what is free. Nothing where nothing limits it.
std::optional<int64_t> RoomBesideWeights(const Model& model, const ComputeOptions& compute);

// Bytes of the gradients that scoring takes: two in fp32 of every weight in scope.
int64_t ScoreBytes(const Model& model, const LocateOptions& options);

// Bytes of masters, optimiser state, gradients, states to go back to and the tensors' own memory, for
// the weights that the options will select, that a mask selects, or that are all trained; and of the
// dense gradient of one matrix, of which a part is selected. Where `keeps_states` is false the run cannot
// go back to a step.
int64_t TrainedBytes(const Model& model, const LocateOptions& options);
int64_t TrainedBytes(const Model& model, const Mask& mask);
int64_t TrainedBytes(const Model& model, bool keeps_states);

// Of these, what a step of the optimiser takes for a moment, between passes, for so many weights.
int64_t OptimiserBytes(const Model& model, int64_t selected);

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

// How locating is made to fit, where `reserved` bytes are needed for other things at the same time. Error
// (memory) where it cannot be. Says so where it is not all done in place.
LocateFit BudgetLocate(const Model& model, const ComputeOptions& compute,
                       const LocateOptions& options, const LocateWork& work, int64_t reserved);

// Tokens of a recorded pass for full speed; more only costs memory.
int64_t EnoughRecordedTokens(const Model& model);

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
