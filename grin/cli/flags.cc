#include "grin/cli/flags.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"

namespace grin {
namespace {

// The recipe of a grin.json, so that a result can be made again from its own record. Where it went
// is not part of that.
std::vector<TomlEntry> ReadRecipe(const std::filesystem::path& path) {
  const Json document = Json::parse(ReadFile(path), nullptr, false);
  if (!document.is_object() || !document.contains("recipe") || !document["recipe"].is_object()) {
    BadInput("config", "{}: holds no 'recipe', as a grin.json does", path.string());
  }
  std::vector<TomlEntry> settings;
  for (const auto& [name, value] : document["recipe"].items()) {
    if (name == "out" || name == "force" || value.empty() || value == "") continue;
    TomlEntry setting;
    setting.key = name;
    setting.place = fmt::format("{}: recipe", path.string());
    setting.value = value;
    settings.push_back(std::move(setting));
  }
  return settings;
}

}  // namespace

void Flags::ApplyConfig(const std::filesystem::path& path) {
  for (const TomlEntry& setting :
       path.extension() == ".json" ? ReadRecipe(path) : ReadTomlFile(path)) {
    if (setting.is_table) {
      BadUsage("config", "{}: section [{}]: settings stand at the top level, without sections",
               setting.place, setting.key);
    }
    std::string name = setting.key;
    std::ranges::replace(name, '_', '-');
    const auto found = entries_.find(name);
    if (found == entries_.end() && ignored_.contains(name)) continue;
    if (found == entries_.end() || !found->second.option || name == "config") {
      std::vector<std::string> known;
      for (const std::string& option : order_) {
        if (entries_.at(option).option && option != "config") known.push_back(option);
      }
      UnknownSetting(setting.place, setting.key, known, "; --help lists the known ones");
    }
    CLI::Option* option = found->second.option;
    if (option->count() > 0) continue;  // the command line goes before
    try {
      option->add_result(
          SettingTexts(setting.value, found->second.kind, setting.place, setting.key));
      option->run_callback();
    } catch (const CLI::Error& error) {
      BadUsage("config", "{}: {}: {}", setting.place, setting.key, error.what());
    }
  }
}

}  // namespace grin
