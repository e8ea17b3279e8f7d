#pragma once
// Evaluation as one call: a suite's questions to a model, and the figures that follow.

#include "grin/base/json.h"
#include "grin/run/options.h"
#include "grin/run/workspace.h"
#include "grin/suite/suite.h"

namespace grin {

struct EvaluateOptions {
  SuiteOptions suite;
  int64_t batch_size = 0;
  OutputOptions output;  // the results file

  template <typename Visitor>
  void Visit(Visitor& visit) {
    suite.Visit(visit);
    visit("batch-size", batch_size,
          "prompts continued at once, no value depends on it; 0: as many as 1 GiB of keys and "
          "values holds, 8 to 128");
  }
};

// Evaluates the model that `where` names and writes the results file, which is returned. A model that
// is compared with (--reference-model) is opened once the first one's weights are not needed any more.
// Finished answers are kept beside the output until it is whole, so that an interrupted evaluation
// goes on where it was.
Json Evaluate(const WorkspaceOptions& where, const EvaluateOptions& options);

}  // namespace grin
