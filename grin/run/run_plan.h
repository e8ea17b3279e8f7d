#pragma once
// What a run of `unlearn` will take, before anything runs: memory on the host and on the device,
// time and disk, stage by stage, from the shapes of a model alone. Its memory comes from the
// functions that the run itself is budgeted by (budget.h, locate_fit.h, unlearn_needs.h).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/run/unlearn.h"

namespace grin {

// What is assumed where data files are left out, and how fast the device is.
struct PlanOptions {
  int64_t forget_sequences = 400, retain_sequences = 400;
  int64_t sequence_tokens = 108;
  double tflops = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("forget-sequences", forget_sequences, "assumed where --forget is left out");
    visit("retain-sequences", retain_sequences, "assumed where --retain is left out");
    visit("sequence-tokens", sequence_tokens,
          "assumed length of each, with --max-length at most that; the second half is the answer");
    visit(
        "tflops", tflops,
        "10^12 operations a second that the device's products reach; default: measured on the CPU, "
        "not known of another device");
  }
};

struct StagePlan {
  std::string name;  // load, reference, locate, tune, judge, write
  int64_t host_bytes = 0, device_bytes = 0;
  double operations = 0;          // in products and attention
  std::optional<double> seconds;  // nothing where no rate is known
};

struct RunPlan {
  int64_t host_bytes = 0, device_bytes = 0;  // the most of any stage
  int64_t disk_bytes = 0;                    // the output, and what lies in TMPDIR meanwhile
  std::optional<double> seconds;
  std::vector<StagePlan> stages;
  std::vector<std::string> advice;
  std::string locating;     // how it is made to fit; empty where all is in place
  int64_t pass_tokens = 0;  // of tuning
  bool fits = true;         // what limits it: --memory-budget, or the device's memory

  // The bytes that a budget is of.
  int64_t peak() const { return device_bytes > 0 ? device_bytes : host_bytes; }
};

// What a plan is made from.
struct PlanInput {
  Model model;               // LoadShapes serves
  int64_t stored_bytes = 0;  // of the checkpoint on disk
  Task task;
  ComputeOptions compute;
  UnlearnOptions options;  // a mask, where one is given, is options.mask
  bool open_unlearning = false;
  std::optional<int64_t> limit;      // bytes of device memory that there are in all
  double operations_per_second = 0;  // 0: not known
  int64_t program_bytes = 0;  // on the host, of the program itself; 0: what a budget counts for it
};

// Plans the run, without advice.
RunPlan PlanUnlearn(const PlanInput& input);

// A task of made-up sequences.
Task AssumedTask(int64_t forget, int64_t retain, int64_t tokens);

// Products of a model's type on this machine's CPU: operations in a second, measured for a moment.
double MeasureProducts(at::ScalarType type);

// Opens what the settings name (a directory with config.json alone will do), plans the run, and
// says what would bring it under its budget. Error as of Unlearn for settings that make no sense.
// {"host_bytes", "device_bytes", "disk_bytes", "seconds", "stages": [{"name", "host_bytes",
// "device_bytes", "seconds"}], "advice": [...], "assumed": {...}}; seconds is null where no rate is
// known.
Json RunPlanCommand(const WorkspaceOptions& where, const TaskOptions& task,
                    const UnlearnOptions& options, const PlanOptions& plan);

}  // namespace grin
