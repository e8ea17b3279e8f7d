#pragma once
// A run that trains, as far as its files go: the output, and the state to go on from.

#include <optional>
#include <string>

#include "grin/base/error.h"
#include "grin/base/stopwatch.h"
#include "grin/ranks/ranks.h"
#include "grin/run/output.h"
#include "grin/run/run_state.h"
#include "grin/run/workspace.h"
#include "grin/tune/tune.h"

namespace grin {

// Throws the guard's Error (class guard) when one stopped the run that wrote `out`.
void ThrowIfGuarded(const TuneReport& report, const std::string& out);

// CheckOutput and CheckStateOptions; but with --resume an output may stand there, as it may be whole.
void CheckTrainingOutput(const OutputOptions& output, const StateOptions& state);

// The output of a run that trains: reserved when it is made, written when it ends. Does nothing
// where output.out is empty.
class TrainingOutput {
 public:
  // Without a state.
  TrainingOutput(const OutputOptions& output, const Workspace& workspace, const Json& document);

  // With a state in OUT.state/. `files` names what was read besides the model, with a fingerprint of
  // its content. `document`, which has version, command and recipe, gets the "run_hash" of it all.
  TrainingOutput(const OutputOptions& output, const StateOptions& state, const Workspace& workspace,
                 Json files, Json& document);

  // grin.json of the output, where the same run has written it whole before and --resume was given:
  // nothing is to be done. Null otherwise.
  const Json* whole() const { return whole_ ? &*whole_ : nullptr; }
  // What an earlier run saved, on all ranks; see RunState.
  std::optional<RunState::Start> TakeStart();
  bool has_step() const { return has_step_; }
  TuneHooks Hooks();

  // Null where nothing is kept, as on other ranks than 0.
  RunState* state() { return state_ ? &*state_ : nullptr; }

  // Does the work of the run. An Error in it says how to go on, where there is something to go on
  // from.
  template <typename Work>
  auto Run(const Work& work) {
    try {
      return work();
    } catch (const Error& error) {
      AddAdvice(error);
      throw;
    }
  }

  // Completes `document` with mask, tuning and costs, writes all, and removes the state. `mask` may
  // be null.
  void Finish(Trainable& trainable, const Mask* mask, const TuneReport& tuned,
              const Stopwatch& clock, Json& document);

 private:
  void AddAdvice(const Error& error) const;

  std::shared_ptr<const Ranks> ranks_;
  bool has_step_ = false;
  std::string out_, model_;
  std::optional<Json> whole_;
  std::optional<OutputDirectory> directory_;
  std::optional<RunState> state_;  // goes first, so that folders made for both can go
};

// The Error of a run that was interrupted, with how to go on.
[[noreturn]] void ThrowInterrupted(const Error& error, const std::string& advice);

// What the tune stage did, as an output directory tells it.
TuneReport ReadTuneReport(const std::filesystem::path& out, const Json& document);

// What a run reads besides the model, with fingerprints: data files, each set as it is tokenised, and
// the template's file.
Json TaskFiles(const Workspace& workspace, const LoadedTask& loaded);
Json DataFiles(const Workspace& workspace, const LoadedData& data);

// Adds a model's files to such a list: weights, tokenizer and whatever else lies beside them.
void AddModelFiles(const Checkpoint& checkpoint, Json& files);

// Adds a set, by its files where `input` names them, and as it is tokenised.
void AddSet(const std::string& name, const Json& input, const std::vector<Sequence>& sequences,
            Json& files);

// Adds the fingerprint of a file under its path, where `name` is the path of a file at all.
void AddFile(Json& files, const std::string& name);

}  // namespace grin
