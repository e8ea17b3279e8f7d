#pragma once
// What a run works on: an open model with its tokenizer and template, and the sets of a task.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/data/encode.h"
#include "grin/data/task.h"
#include "grin/model/decoder.h"
#include "grin/ranks/ranks.h"
#include "grin/run/options.h"

namespace grin {

struct WorkspaceOptions {
  ModelOptions model;
  DataOptions data;
  ComputeOptions compute;
  std::shared_ptr<const Ranks> ranks;  // the processes of the run; null: this one alone

  template <typename Visitor>
  void Visit(Visitor& visit) {
    model.Visit(visit);
    data.Visit(visit);
    compute.Visit(visit);
  }
};

// A checkpoint ready to run. A run that trains changes the weights of `model` in memory; the files of
// the checkpoint are never written to. Not for several threads at once.
struct Workspace {
  WorkspaceOptions options;
  std::shared_ptr<const Checkpoint> checkpoint;
  Model model;
  std::unique_ptr<Encoder> encoder;  // null until OpenEncoder
};

// How --deterministic and --reduce want sums to be made. Error (usage) for a word that is not known.
SumRule SumRuleOf(const ComputeOptions& compute);

// The type that --dtype means; nothing for an empty word. Error (usage) for another word.
std::optional<at::ScalarType> ParseComputeType(const std::string& text);

// Opens the checkpoint and loads the model, without a tokenizer. Error (usage) for a device or type
// that is not known, (bad input) for a checkpoint that cannot be used.
Workspace OpenModel(const WorkspaceOptions& options);

// Loads the tokenizer and the template of an open model.
void OpenEncoder(Workspace& workspace);

// Both.
Workspace OpenWorkspace(const WorkspaceOptions& options);

// A set with where it came from, for grin.json.
struct LoadedData {
  std::vector<Example> examples;
  std::vector<Sequence> sequences;
  Json input;  // path, fingerprint and number of records
};

// Reads and encodes files of examples, as DataOptions says.
LoadedData LoadData(const Workspace& workspace, const std::string& files);

// A task with where it came from.
struct LoadedTask {
  Task task;
  TaskOptions options;
  Json inputs = Json::object();  // forget and retain: path, fingerprint and number of records
};

// Reads and encodes both sets. Error (usage) when one is not named, (bad input) for a record that
// cannot be used, or that is in both sets, unless the options allow that.
LoadedTask LoadTask(const Workspace& workspace, const TaskOptions& options);

// Tokens of the longest sequence.
int64_t LongestOf(const std::vector<Sequence>& sequences);
int64_t LongestOf(const Task& task);

}  // namespace grin
