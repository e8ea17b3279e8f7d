#pragma once
// What `unlearn` and its single stages share.

#include <string>

#include "grin/base/progress.h"
#include "grin/cli/common.h"
#include "grin/tune/tune_plan.h"

namespace grin {

struct TaskOptions {
  std::string forget, retain;
  bool allow_overlap = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List("forget", forget,
                "what must go: files of questions and answers, chats or text (JSON Lines, JSON, "
                "CSV, Parquet), patterns, or hub://datasets/ORG/NAME/FILE");
    visit.List("retain", retain, "what must stay, in the same form");
    visit("allow-overlap", allow_overlap, "accept records that are in both sets");
  }
};

// Reads and encodes both sets.
Task LoadTask(const Workspace& workspace, const TaskOptions& options, const DataOptions& data);

// Bytes that scoring every block matrix takes: two fp32 gradients each.
int64_t ScoreBytes(const Model& model);

// Bytes of masters, optimiser state, gradients and copies for a share of the block matrices.
int64_t MaskedBytes(const Model& model, double fraction);

// The longest sequence of a task.
int64_t LongestOf(const Task& task);

Json DescribeTask(const TaskOptions& options, const Task& task);

// What the mask and the selected weights look like, for grin.json and --json.
Json DescribeMask(const Mask& mask);
Json DescribeTuning(const TuneReport& report);

// Throws the guard's Error (exit code 5) when one stopped the run; the output is written before.
void ReportGuard(const TuneReport& report, const std::string& out);

// The end of a command that trained: completes `document` (grin.json, with what is particular to
// the command) with model, mask, tuning and costs, writes the output, says so, and reports a
// guard. `mask` may be null.
void FinishTraining(const CommonOptions& common, const OutputOptions& output,
                    const Workspace& workspace, Trainable& trainable, const Mask* mask,
                    const TuneReport& report, const Progress& clock, Json document);

// Prints a result as one JSON line on stdout when --json was given.
void PrintJson(const CommonOptions& common, const Json& result);

}  // namespace grin
