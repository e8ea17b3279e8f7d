#pragma once
// All that a training run is between two steps, as a value: what is saved, read and gone on from,
// bit for bit.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/tune/rehearsal.h"
#include "grin/tune/state_file.h"

namespace grin {

// The last values of a loss or a norm, and how far a new one stands out of them.
class RecentValues {
 public:
  // By how many spreads `value` lies above the median of the recent values. The spread is 1.4826
  // times the median of absolute deviations (the standard deviation, where values are normal), but
  // at least a tenth of the median's magnitude, and at least `floor`. 0 while there are too few
  // values to tell.
  double SpreadsAbove(double value, double floor) const;
  void Add(double value);

  const std::vector<double>& values() const { return values_; }
  explicit RecentValues(std::vector<double> values = {}) : values_(std::move(values)) {}

 private:
  std::vector<double> values_;  // the oldest first
};

// A state of the weights that may be gone back to.
struct KeptWeights {
  at::Tensor master;  // fp32 [n]; undefined where nothing is kept
  double score = -std::numeric_limits<double>::infinity();
  int64_t step = 0;  // after which it stood; 0: the start
};

struct TermState {
  int64_t drawn = 0;                                             // sequences, all told
  double first_loss = std::numeric_limits<double>::quiet_NaN();  // not a number before there is one
  RecentValues losses;
  double scale = 1;  // of the term in the loss; changes where it is a dual variable
};

struct TuneState {
  int64_t step = 0;     // steps done, skipped ones too
  int64_t updates = 0;  // of them, those that moved the weights
  int64_t tokens = 0;   // trained on
  double seconds = 0;
  at::Tensor master, m, v;  // fp32 [n]: the arena's own, not copies
  // The best weights that have passed the guard, and those that the next step's losses will judge.
  KeptWeights best, pending;
  std::vector<TermState> terms;
  RecentValues norms;
  RehearsalState rehearsal;
  at::Tensor scorer;  // of learned token weights, the scorer's own; undefined where there is none
  std::vector<Json> log;  // one object per step

  bool finished = false;   // `master` is what the run ends with; m, v, best and pending are gone
  int64_t kept_step = 0;   // where `finished`
  std::string guard;       // why a guard stopped the run; empty when none did
};

// As a file would hold it, and back. Error (bad input) for what is no state of a training run.
StateFile ToStateFile(const TuneState& state);
TuneState TuneStateFrom(const StateFile& file);

// Error (bad input) when it cannot be written; then nothing is left behind.
void SaveTuneState(const std::filesystem::path& path, const TuneState& state);

// Error (bad input) when the file is missing, torn or does not match its checksum.
TuneState LoadTuneState(const std::filesystem::path& path);

}  // namespace grin
