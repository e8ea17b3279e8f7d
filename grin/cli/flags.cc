#include "grin/cli/flags.h"

#include <sstream>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/base/nearest.h"

namespace grin {
namespace {

// The recipe of a grin.json, so that a result can be made again from its own record. Where it went
// is not part of that.
std::vector<CLI::ConfigItem> ReadRecipe(const std::filesystem::path& path) {
  const Json document = Json::parse(ReadFile(path), nullptr, false);
  if (!document.is_object() || !document.contains("recipe") || !document["recipe"].is_object()) {
    BadInput("config", "{}: holds no 'recipe', as a grin.json does", path.string());
  }
  std::vector<CLI::ConfigItem> items;
  for (const auto& [name, value] : document["recipe"].items()) {
    if (name == "out" || name == "force" || value.empty() || value == "") continue;
    CLI::ConfigItem item;
    item.name = name;
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& part : list) {
      item.inputs.push_back(part.is_string() ? part.get<std::string>() : part.dump());
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<CLI::ConfigItem> ReadItems(const std::filesystem::path& path) {
  if (path.extension() == ".json") return ReadRecipe(path);
  std::istringstream in(ReadFile(path));
  try {
    return CLI::ConfigTOML().from_config(in);
  } catch (const CLI::Error& error) {
    BadInput("config", "{}: is not TOML: {}", path.string(), error.what());
  }
}

}  // namespace

void Flags::ApplyConfig(const std::filesystem::path& path) {
  for (const CLI::ConfigItem& item : ReadItems(path)) {
    if (item.name == "++" || item.name == "--") {  // begin and end of a section
      BadUsage("config", "{}: section [{}]: settings stand at the top level, without sections",
               path.string(), fmt::join(item.parents, "."));
    }
    std::string name = item.name;
    std::ranges::replace(name, '_', '-');
    const auto found = entries_.find(name);
    if (found == entries_.end() && ignored_.contains(name)) continue;
    if (found == entries_.end() || !found->second || name == "config") {
      const std::string nearest = Nearest(name, order_);
      BadUsage("config", "{}: unknown setting '{}'{}", path.string(), item.name,
               nearest.empty() ? "; see --help for the known ones"
                               : fmt::format("; did you mean '{}'?", nearest));
    }
    CLI::Option* option = found->second;
    if (option->count() > 0) continue;  // the command line goes before
    try {
      option->add_result(item.inputs);
      option->run_callback();
    } catch (const CLI::Error& error) {
      BadUsage("config", "{}: {}: {}", path.string(), item.name, error.what());
    }
  }
}

}  // namespace grin
