#include "grin/cli/flags.h"

#include <fstream>

#include "grin/base/error.h"
#include "grin/base/nearest.h"

namespace grin {

void Flags::ApplyConfig(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) BadInput("config", "{}: cannot be read", path.string());
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(in);
  } catch (const CLI::Error& error) {
    BadInput("config", "{}: is not TOML: {}", path.string(), error.what());
  }
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") {  // begin and end of a section
      BadUsage("config", "{}: section [{}]: settings stand at the top level, without sections",
               path.string(), fmt::join(item.parents, "."));
    }
    std::string name = item.name;
    std::ranges::replace(name, '_', '-');
    const auto found = entries_.find(name);
    if (found == entries_.end() || !found->second.option || name == "config") {
      const std::string nearest = Nearest(name, order_);
      BadUsage("config", "{}: unknown setting '{}'{}", path.string(), item.name,
               nearest.empty() ? "; see --help for the known ones"
                               : fmt::format("; did you mean '{}'?", nearest));
    }
    CLI::Option* option = found->second.option;
    if (option->count() > 0) continue;  // the command line goes before
    try {
      option->add_result(item.inputs);
      option->run_callback();
    } catch (const CLI::Error& error) {
      BadUsage("config", "{}: {}: {}", path.string(), item.name, error.what());
    }
  }
}

Json Flags::Recipe() const {
  Json recipe = Json::object();
  for (const std::string& name : order_) {
    if (name != "config") recipe[name] = entries_.at(name).value();
  }
  return recipe;
}

std::string ToToml(const Json& recipe) {
  std::string text;
  for (const auto& [name, value] : recipe.items()) {
    if (value.is_array() && value.empty()) continue;
    if (value.is_string() && value.get_ref<const std::string&>().empty()) continue;
    text += fmt::format("{} = {}\n", name, value.dump());
  }
  return text;
}

}  // namespace grin
