#include "grin/io/data_files.h"

#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "grin/base/atomic_file.h"
#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/base/printable.h"
#include "grin/hub/cache.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 9> kDataExtensions = {
    ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".raw"};

// Descriptions of data sets, which the Python package `datasets` and the hub lay beside them.
constexpr std::array<std::string_view, 3> kDescriptions = {"dataset_info.json",
                                                           "dataset_infos.json", "state.json"};

bool IsDataFile(const fs::path& path) {
  fs::path name = path.filename();
  if (std::ranges::count(kDescriptions, name.string()) > 0) return false;
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  return std::ranges::count(kDataExtensions, name.extension().string()) > 0;
}

std::vector<std::string> TextList(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& text : list) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::vector<fs::path> DataFilesIn(const fs::path& folder, bool recursive) {
  std::vector<fs::path> files;
  const auto add = [&](const fs::directory_entry& entry) {
    if (entry.is_regular_file() && IsDataFile(entry.path())) files.push_back(entry.path());
  };
  if (recursive) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) add(entry);
  } else {
    for (const auto& entry : fs::directory_iterator(folder)) add(entry);
  }
  std::ranges::sort(files);
  return files;
}

std::optional<Json> JsonFile(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  Json json = Json::parse(ReadFile(path), nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

// The files of a data set that save_to_disk of the Python package `datasets` has left in a folder,
// in its order; nothing for another folder.
std::optional<std::vector<fs::path>> SavedByDatasets(const fs::path& folder) {
  if (const auto splits = JsonFile(folder / "dataset_dict.json");
      splits && splits->value("splits", Json()).is_array()) {
    const auto names = TextList((*splits)["splits"]);
    if (names.size() == 1) return SavedByDatasets(folder / names[0]);
    BadInput("io", "{}: `datasets` has saved the splits {} there; name one: {}", folder.string(),
             fmt::join(names, ", "), (folder / (names.empty() ? "SPLIT" : names[0])).string());
  }
  const auto state = JsonFile(folder / "state.json");
  if (!state || !state->value("_data_files", Json()).is_array()) return std::nullopt;
  for (const char* key : {"_indices_files", "_indices_data_files"}) {
    if (state->value(key, Json()).empty()) continue;
    BadInput("io",
             "{}: `datasets` has saved a choice of rows by their numbers; save it again after "
             "flatten_indices()",
             folder.string());
  }
  std::vector<fs::path> files;
  for (const Json& file : (*state)["_data_files"]) {
    const Json name = file.is_object() ? file.value("filename", Json()) : Json();
    if (!name.is_string()) continue;
    files.push_back(folder / name.get<std::string>());
    std::error_code ignored;
    if (!fs::is_regular_file(files.back(), ignored)) {
      BadInput("io", "{}: is named in state.json beside it, and is not there",
               files.back().string());
    }
  }
  return files;
}

std::vector<fs::path> Matches(const std::string& pattern) {
  glob_t found{};
  std::vector<fs::path> files;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  std::erase_if(files, [](const fs::path& path) { return fs::is_directory(path); });
  return files;
}

bool IsPattern(std::string_view text) { return text.find_first_of("*?[") != text.npos; }

// Characters of a folder's own name that glob would take for a pattern.
std::string Escaped(const std::string& path) {
  std::string escaped;
  for (const char c : path) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::vector<fs::path> FilesOfHubDataSet(const std::string& url) {
  const HubUrl hub = ParseHubUrl(url);
  const fs::path snapshot = FindInHubCache(hub.repo);
  if (hub.path.empty()) {
    std::vector<fs::path> files = DataFilesIn(snapshot, true);
    if (files.size() == 1) return files;
    std::vector<std::string> names;
    for (const fs::path& file : files) names.push_back(file.lexically_relative(snapshot).string());
    BadInput("io", "{}: holds {} data files; name one, or a pattern, behind it: {}", url,
             files.size(), fmt::join(names, ", "));
  }
  std::vector<fs::path> files = Matches(Escaped(snapshot.string()) + "/" + hub.path);
  if (files.empty()) {
    BadInput("io",
             "{}: the hub cache has no such file of it; `grin fetch --dataset {}` gets it, "
             "if the data set has it",
             url, hub.repo.name);
  }
  return files;
}

std::vector<fs::path> FilesOf(const std::string& part) {
  std::error_code ignored;
  if (fs::is_directory(part, ignored)) {
    if (auto saved = SavedByDatasets(part); saved && !saved->empty()) return *std::move(saved);
    std::vector<fs::path> files = DataFilesIn(part, false);
    if (files.empty()) {
      BadInput("io", "{}: the folder has no data file ({})", part,
               fmt::join(kDataExtensions, ", "));
    }
    return files;
  }
  if (IsHubUrl(part)) return FilesOfHubDataSet(part);
  if (fs::exists(part, ignored) || !IsPattern(part)) return {part};  // what is absent fails later
  std::vector<fs::path> files = Matches(part);
  if (files.empty()) BadInput("io", "{}: no file matches", Printable(part, 300));
  return files;
}

}  // namespace

std::vector<fs::path> FindDataFiles(const fs::path& source) {
  const std::string text = source.string();
  std::error_code ignored;
  if (fs::is_regular_file(source, ignored)) return {source};
  std::vector<fs::path> files;
  for (const std::string& part : CommaParts(text)) {
    if (part.empty()) BadInput("io", "'{}': names a file without a name", text);
    for (fs::path& file : FilesOf(part)) {
      if (!std::ranges::count(files, file)) files.push_back(std::move(file));
    }
  }
  return files;
}

}  // namespace grin
