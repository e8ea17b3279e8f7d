#pragma once
// The grid of a sweep as runs in the order in which they are done.

#include <string>
#include <vector>

#include "grin/sweep/sweep_identity.h"

namespace grin {

// One row of the table: a method at one point of its grid.
struct SweepSetting {
  std::string method;
  Json varied = Json::object();      // what the grid set
  std::vector<SettingValue> values;  // of the method, and of the grid
  std::vector<size_t> runs;          // one for each seed, in the order of the seeds; see SweepPlan
};

struct SweepRun {
  size_t setting = 0;  // its place among the settings
  int64_t seed = 0;
  std::string hash;  // of all that makes the result
  SweepUnlearn unlearn;
  SweepEval eval;
  SweepAttack attack;
};

struct SweepPlan {
  std::vector<SweepSetting> settings;
  // Every setting with the first seed, then with the next; methods take turns, so that a budget
  // stops all of them at about as many settings.
  std::vector<SweepRun> runs;
  std::vector<std::string> notes;  // what a reader of the table has to know
};

// Expands the grid, or draws from it, and names every run by its content. Error (usage, bad input)
// for a setting that can be seen to be wrong, or a file that cannot be read, before anything runs.
SweepPlan MakeSweepPlan(const SweepFile& file, SweepIdentities& identities);

// "lr = 0.001, fraction = 0.05"
std::string DescribeVaried(const Json& varied);

}  // namespace grin
