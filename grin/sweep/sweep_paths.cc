#include "grin/sweep/sweep_paths.h"

#include <algorithm>
#include <array>

#include "grin/base/comma_list.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 14> kFileKeys = {
    "model",  "before", "taught",  "reference", "reference-model", "classifier", "forget",
    "retain", "data",   "general", "mask",      "refusals",        "template",   "holdout"};

constexpr std::array<std::string_view, 5> kModelKeys = {"model", "before", "taught", "reference",
                                                        "reference-model"};

// What is there, or may be there as a pattern, beside the sweep's file.
std::string Beside(const fs::path& folder, const std::string& path) {
  if (path.empty() || fs::path(path).is_absolute()) return path;
  const fs::path beside = (folder / path).lexically_normal();
  std::error_code error;
  const bool pattern = path.find_first_of("*?[") != std::string::npos;
  return pattern || fs::exists(beside, error) ? beside.string() : path;
}

}  // namespace

bool NamesFiles(const std::string& key) {
  return std::ranges::find(kFileKeys, key) != kFileKeys.end();
}

std::string SweepPaths::MadeModel(const std::string& path) const {
  const fs::path place(path);
  return place.parent_path() == models && made.contains(place.filename().string())
             ? place.filename().string()
             : "";
}

SettingValue SweepPaths::Resolve(SettingValue setting) const {
  if (!NamesFiles(setting.key)) return setting;
  const bool model = std::ranges::find(kModelKeys, setting.key) != kModelKeys.end();
  const auto resolve = [&](const std::string& text) -> std::string {
    if (model && made.contains(text)) return (models / text).string();
    if (setting.key == "template" && (text == "chat" || text == "qa" || text == "raw")) return text;
    std::error_code error;
    if (fs::exists(folder / text, error))
      return Beside(folder, text);  // also with a comma in its name
    std::string resolved;
    for (const std::string& part : CommaParts(text)) {
      // "forget=FILE"
      const size_t equals = part.find('=');
      const size_t begin = equals == std::string::npos ? 0 : equals + 1;
      resolved += (resolved.empty() ? "" : ",") + part.substr(0, begin) +
                  Beside(folder, part.substr(begin));
    }
    return resolved;
  };
  if (setting.value.is_string()) {
    setting.value = resolve(setting.value.get<std::string>());
  } else if (setting.value.is_array()) {
    for (Json& text : setting.value) {
      if (text.is_string()) text = resolve(text.get<std::string>());
    }
  }
  return setting;
}

}  // namespace grin
