#pragma once
// What a run that trains keeps beside its output, in OUT.state/, so that it can be gone on with after
// it was interrupted or killed, and ends with the very bits that it would have ended with. For the
// files there see docs/formats.md.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "grin/base/json.h"
#include "grin/locate/locate.h"
#include "grin/locate/mask.h"
#include "grin/run/state_directory.h"
#include "grin/tune/state_file.h"
#include "grin/tune/tune.h"

namespace grin {

// Not for several threads at once. A state that cannot be written is a warning; the run goes on.
class RunState {
 public:
  // What was found after the untouched model had been looked at.
  struct Start {
    StateFile plan;                     // see TunePlan::Prepared
    std::optional<Mask> mask;           // where the run located one
    LocateReport located;               // empty where it did not
  };

  // Takes OUT.state/ for this run; see StateDirectory. With --resume what is saved there is gone on
  // with.
  RunState(const std::string& out, bool force, const StateOptions& options, const Json& identity);
  ~RunState();
  RunState(const RunState&) = delete;
  RunState& operator=(const RunState&) = delete;

  // What an earlier run saved; nothing where this one begins at the beginning. Once.
  std::optional<Start> TakeStart();

  void SaveStart(const Start& start);

  // For the tuner: goes on from the saved step, writes the log as it grows, saves when it is time,
  // and when the listener wants the work to end, which then ends by an Error (interrupted).
  TuneHooks Hooks();

  // Whether Hooks will go on from a saved state of the weights.
  bool has_step() const { return step_.has_value(); }

  // Seconds that earlier runs took for what this one need not do again.
  double seconds_before() const { return seconds_before_; }

  // So many bytes of the disk are for the output: no state is saved that would leave less.
  void KeepFree(int64_t bytes) { kept_free_ = bytes; }

  // Whether there is something to go on from.
  bool saved() const { return saved_start_; }

  // How to go on after the work has ended early: a clause for a message.
  std::string Advice() const;

  // The output is whole: nothing is to be gone on with.
  void Remove();
  // The same where an earlier run made it whole and was killed before it could say so.
  static void Discard(const std::string& out) { StateDirectory::Discard(out); }

 private:
  void Load();
  void Save(const TuneState& state);
  void BetweenSteps(const TuneState& state);

  StateDirectory directory_;
  int64_t kept_free_ = 0;
  std::optional<Start> start_;
  std::optional<TuneState> step_;
  std::optional<int64_t> saved_step_;  // the newest state on the disk
  bool saved_start_ = false;
  double seconds_before_ = 0;
  std::ofstream log_;
  std::chrono::steady_clock::time_point last_save_ = std::chrono::steady_clock::now();
};

}  // namespace grin
