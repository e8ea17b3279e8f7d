#pragma once
// How suites find and read their files.

#include <filesystem>
#include <string>
#include <vector>

#include "grin/data/example.h"
#include "grin/metric/metric_set.h"
#include "grin/suite/suite.h"

namespace grin {

// The table DIR/STEM.{json,jsonl,csv,tsv,parquet} (or those packed by gzip or zstd), of the first
// stem that exists; empty when none does. Parquet may come in the hub's form STEM-00000-of-00001.
std::filesystem::path FindTable(const std::filesystem::path& directory,
                                const std::vector<std::string>& stems);

// The same. Error (bad input) that lists what was looked for.
std::filesystem::path RequireTable(const std::filesystem::path& directory,
                                   const std::vector<std::string>& stems);

// Whether --split leaves nothing out: "all", or none given.
bool IsWhole(const std::string& split);

// Error (usage) for a split that is not one of `known`, naming the nearest.
void RequireSplit(const std::string& split, const std::vector<std::string>& known);

// Reads a set, cut to --limit, and notes it as an input. Its columns are those given, else those of
// --columns, else found by name.
std::vector<Example> LoadSet(const SuiteInput& input, const std::filesystem::path& path,
                             const std::string& columns = "");

// Error (bad input) with the reasons of `unmeasured`: for when nothing that was asked is left.
[[noreturn]] void RefuseAsUnmeasured(const Json& unmeasured);

// Cuts to --limit.
template <typename T>
void Limit(const SuiteInput& input, std::vector<T>& records) {
  if (input.options.limit > 0 && records.size() > static_cast<size_t>(input.options.limit)) {
    records.resize(input.options.limit);
  }
}

// --metrics: whether a result is asked for, directly or because another one needs it.
class Wanted {
 public:
  // `needs`: result -> results that it is made of. Error (usage) for a name that is not in `known`.
  Wanted(const std::vector<std::string>& asked, const std::vector<std::string>& known,
         const std::vector<std::pair<std::string, std::vector<std::string>>>& needs);

  bool operator()(const std::string& result) const;

  // Those that are.
  std::vector<NamedMetric> Of(std::vector<NamedMetric> metrics) const;

 private:
  std::vector<std::string> names_;  // empty: all
};

}  // namespace grin
