#pragma once
// The end of a run that trains.

#include <optional>
#include <string>

#include "grin/base/stopwatch.h"
#include "grin/run/output.h"
#include "grin/run/workspace.h"
#include "grin/tune/tune.h"

namespace grin {

// Throws the guard's Error (class guard) when one stopped the run that wrote `out`.
void ThrowIfGuarded(const TuneReport& report, const std::string& out);

// The output of a run that trains: reserved when it is made, written when it ends. Does nothing
// where output.out is empty.
class TrainingOutput {
 public:
  TrainingOutput(const OutputOptions& output, const Workspace& workspace, const Json& document);

  // Completes `document` with mask, tuning and costs, and writes all. `mask` may be null.
  void Finish(Trainable& trainable, const Mask* mask, const TuneReport& tuned,
              const Stopwatch& clock, Json& document);

 private:
  std::string out_, model_;
  std::optional<OutputDirectory> directory_;
};

}  // namespace grin
