#include "grin/suite/suite_data.h"

#include <algorithm>
#include <set>

#include "grin/base/error.h"
#include "grin/base/nearest.h"

namespace grin {
namespace fs = std::filesystem;

fs::path FindTable(const fs::path& directory, const std::vector<std::string>& stems) {
  for (const std::string& stem : stems) {
    for (const char* suffix :
         {".json", ".jsonl", ".csv", ".tsv", ".parquet", "-00000-of-00001.parquet", ".json.gz",
          ".jsonl.gz", ".csv.gz", ".json.zst", ".jsonl.zst", ".csv.zst"}) {
      const fs::path path = directory / (stem + suffix);
      if (fs::is_regular_file(path)) return path;
    }
  }
  return {};
}

fs::path RequireTable(const fs::path& directory, const std::vector<std::string>& stems) {
  const fs::path path = FindTable(directory, stems);
  if (path.empty()) {
    BadInput("eval", "{}: holds no {} as .json, .jsonl, .csv or .parquet", directory.string(),
             fmt::join(stems, " or "));
  }
  return path;
}

bool IsWhole(const std::string& split) { return split.empty() || split == "all"; }

void RequireSplit(const std::string& split, const std::vector<std::string>& known) {
  if (std::ranges::count(known, split)) return;
  std::string nearest = Nearest(split, known);
  // A short name for what was spelt out (bio, biology) is far from it by letters.
  const auto short_name = std::ranges::find_if(
      known, [&](const std::string& name) { return !name.empty() && split.starts_with(name); });
  if (nearest.empty() && short_name != known.end()) nearest = *short_name;
  BadUsage("eval", "--split: there is no '{}'{}; there is {}", split,
           nearest.empty() ? std::string() : fmt::format(", did you mean {}?", nearest),
           fmt::join(known, ", "));
}

std::vector<Example> LoadSet(const SuiteInput& input, const fs::path& path,
                             const std::string& columns) {
  std::vector<Example> examples = LoadExamples(path, columns.empty() ? input.columns : columns);
  Limit(input, examples);
  input.note_input(path, static_cast<int64_t>(examples.size()));
  return examples;
}

void RefuseAsUnmeasured(const Json& unmeasured) {
  std::set<std::string> reasons;  // several results share one
  for (const Json& result : unmeasured) reasons.insert(result.at("not_measured"));
  BadInput("eval", "nothing that was asked can be measured: {}", fmt::join(reasons, "; "));
}

Wanted::Wanted(const std::vector<std::string>& asked, const std::vector<std::string>& known,
               const std::vector<std::pair<std::string, std::vector<std::string>>>& needs)
    : names_(asked) {
  for (const std::string& name : asked) {
    if (std::ranges::count(known, name)) continue;
    const std::string nearest = Nearest(name, known);
    BadUsage("eval", "--metrics: this suite has no '{}'{}; it has {}", name,
             nearest.empty() ? std::string() : fmt::format(", did you mean {}?", nearest),
             fmt::join(known, ", "));
  }
  for (size_t i = 0; i < names_.size(); ++i) {  // grows while it runs
    for (const auto& [result, parts] : needs) {
      if (result == names_[i]) names_.insert(names_.end(), parts.begin(), parts.end());
    }
  }
}

bool Wanted::operator()(const std::string& result) const {
  return names_.empty() || std::ranges::count(names_, result) > 0;
}

std::vector<NamedMetric> Wanted::Of(std::vector<NamedMetric> metrics) const {
  std::erase_if(metrics, [this](const NamedMetric& named) { return !(*this)(named.result); });
  return metrics;
}

}  // namespace grin
