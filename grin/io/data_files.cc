#include "grin/io/data_files.h"

#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/hub/cache.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 9> kDataExtensions = {
    ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".raw"};

bool IsDataFile(const fs::path& path) {
  fs::path name = path.filename();
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  return std::ranges::count(kDataExtensions, name.extension().string()) > 0;
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
