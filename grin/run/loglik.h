#pragma once
// Log-probabilities of the scored tokens of every record, as one call.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "grin/run/options.h"
#include "grin/run/workspace.h"

namespace grin {

struct LoglikOptions {
  std::string data;
  OutputOptions output;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List(
        "data", data,
        "questions and answers, text, or {\"tokens\": [...]} records, of which every next token "
        "is scored");
  }
};

struct LoglikReport {
  int64_t sequences = 0, labels = 0;
  double sum = 0;  // of the log-probabilities
};

// One line of JSON for each record: {"tokens": [...], "logprobs": [...], "argmax": [...]} at the
// scored positions. The lines go to the file output.out or, where that is empty, to `emit`, each with
// its line end. The workspace needs no encoder: it is opened for data that are not token ids.
LoglikReport RunLoglik(Workspace& workspace, const LoglikOptions& options,
                       const std::function<void(std::string_view)>& emit = {});

}  // namespace grin
