#pragma once
// One run as the report sees it: the results of its model, and what the run left beside the model.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/report/density.h"
#include "grin/suite/aggregate.h"

namespace grin {

struct ReportedRun {
  std::string name;
  Json results;           // as LoadResults gives them; null where nothing was evaluated
  Json record;            // grin.json; null where there is none
  std::vector<Json> log;  // log.jsonl, a step each
  std::optional<DensityGrid> density;  // of mask.safetensors
  Aggregates aggregates;

  bool evaluated() const { return results.is_object(); }
};

// What results are compared with; each may be null.
struct Yardsticks {
  Json retain;  // a model that never saw the forget set
  Json before;  // the model before unlearning
};
// Each from no file, one, or several of one model that share no metric. Error (bad input) for
// several of which that is not certain.
Yardsticks LoadYardsticks(const std::vector<std::filesystem::path>& retain,
                          const std::vector<std::filesystem::path>& before);

// Loads a results file, and what lies in its model's directory: a path in the results is taken from
// here, and else from beside the results file. An output directory instead of a file is a run that
// was not evaluated. Error (bad input) for files that are there and cannot be used.
ReportedRun LoadRun(const std::filesystem::path& path, const Yardsticks& yardsticks);

// Loads each path as LoadRun does and makes one run of results of one model (joined_results.h). The
// runs are named, by the first of their files.
std::vector<ReportedRun> LoadRuns(const std::vector<std::filesystem::path>& paths,
                                  const Yardsticks& yardsticks);

// Gives each run a name of its own: the last part of its path that tells it from the others.
void NameRuns(std::vector<ReportedRun>& runs, const std::vector<std::filesystem::path>& paths);

// The figures of a run in words for --json: aggregates by name, "not_measured", every metric.
Json Summarize(const ReportedRun& run);

}  // namespace grin
