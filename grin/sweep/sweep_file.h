#pragma once
// A sweep's TOML file: which models are made, which settings are tried, how each is measured, and
// what wins. See docs/sweeps.md.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "grin/run/attack.h"
#include "grin/run/evaluate.h"
#include "grin/run/stages.h"
#include "grin/run/unlearn.h"
#include "grin/sweep/options.h"
#include "grin/sweep/setting_reader.h"
#include "grin/sweep/sweep_paths.h"

namespace grin {

// A key of the grid: the values that it takes, or a range to draw from.
struct GridAxis {
  std::string key, place;
  std::vector<Json> values;  // empty: a range
  double min = 0, max = 0;
  bool log = false;      // drawn evenly in the logarithm
  bool integer = false;  // of a key that takes integers
};

// One row of the comparison.
struct SweepMethod {
  std::string name;
  std::vector<SettingValue> fixed;
  std::vector<GridAxis>
      axes;  // the method's own and, where it says nothing of a key, the common ones
};

// All settings of one unlearning.
struct SweepUnlearn {
  WorkspaceOptions where;
  TaskOptions task;
  UnlearnOptions unlearn;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    where.Visit(visit);
    task.Visit(visit);
    unlearn.Visit(visit);
  }
};

// A model that is made once, in DIR/models/NAME.
struct SweepFinetune {
  std::string name;
  WorkspaceOptions where;
  FinetuneRunOptions finetune;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    where.Visit(visit);
    finetune.Visit(visit);
  }
};

struct SweepEval {
  WorkspaceOptions where;
  EvaluateOptions evaluate;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    where.Visit(visit);
    evaluate.Visit(visit);
  }
};

struct SweepAttack {
  WorkspaceOptions where;
  AttackRunOptions attack;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    where.Visit(visit);
    attack.Visit(visit);
  }
};

struct SweepFile {
  SweepOptions sweep;
  ChooseOptions choose;
  std::vector<int64_t> seeds;
  std::vector<SweepFinetune> finetunes;
  std::vector<SettingValue> unlearn;  // of all runs
  std::vector<SweepMethod> methods;   // at least one
  std::vector<SettingValue> eval, attack;
  bool evaluates = false, attacks = false;
  SweepPaths paths;
  ComputeOptions
      compute;  // of the command: a device and a budget that it names go before the file's

  // Settings of a run: those of all runs, then `more`, in their order. Paths as they are used:
  // those that were relative to the file's folder are resolved, names of models are
  // DIR/models/NAME.
  SweepUnlearn UnlearnOf(const std::vector<SettingValue>& more) const;
  // The eval and the attack of a run of these settings; what they do not say themselves they have
  // from it.
  SweepEval EvalOf(const SweepUnlearn& run) const;
  SweepAttack AttackOf(const SweepUnlearn& run) const;
};

// Reads the file. `models` is where models are made. Error (bad input) where it is no TOML; (usage)
// with line and column for a key that is not known, a value of another kind, and what does not fit
// together.
SweepFile ReadSweepFile(const std::filesystem::path& path, const std::filesystem::path& models,
                        const ComputeOptions& compute);

}  // namespace grin
