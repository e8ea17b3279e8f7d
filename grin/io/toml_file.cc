#include "grin/io/toml_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/nearest.h"

namespace grin {
namespace {

std::string TomlPlace(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

// A value that is not a table of its own: tables inside arrays become objects.
Json TomlValue(const toml::node& node, const std::string& file) {
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* integer = node.as_integer()) return Json(integer->get());
  if (const auto* number = node.as_floating_point()) return Json(number->get());
  if (const auto* flag = node.as_boolean()) return Json(flag->get());
  if (const auto* array = node.as_array()) {
    Json values = Json::array();
    for (const toml::node& element : *array) values.push_back(TomlValue(element, file));
    return values;
  }
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, element] : *table) {
      object[std::string(key.str())] = TomlValue(element, file);
    }
    return object;
  }
  BadInput("io", "{}: a date or a time stands here; no setting takes one, so write it in quotes",
           TomlPlace(file, node.source()));
}

std::vector<TomlEntry> TomlEntries(const toml::table& table, const std::string& file) {
  std::vector<std::pair<toml::source_position, TomlEntry>> found;
  for (const auto& [key, node] : table) {
    TomlEntry entry;
    entry.key = key.str();
    entry.place = TomlPlace(file, key.source());
    if (const auto* inner = node.as_table()) {
      entry.is_table = true;
      entry.entries = TomlEntries(*inner, file);
    } else {
      entry.value = TomlValue(node, file);
    }
    if (const auto* array = node.as_array(); array && array->is_homogeneous<toml::table>()) {
      for (const toml::node& element : *array) {
        entry.tables.push_back({.key = entry.key,
                                .place = TomlPlace(file, element.source()),
                                .is_table = true,
                                .value = {},
                                .entries = TomlEntries(*element.as_table(), file)});
      }
    }
    found.emplace_back(key.source().begin, std::move(entry));
  }
  // The library keeps keys in alphabetical order.
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TomlEntry> entries;
  for (auto& [position, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

std::string_view KindOf(const Json& value) {
  if (value.is_string()) return "the text";
  if (value.is_boolean()) return "the truth value";
  if (value.is_number_integer()) return "the integer";
  if (value.is_number()) return "the number";
  if (value.is_array()) return "the list";
  return "the table";
}

// The text of a number in the fewest digits that read back as the same number.
std::string NumberText(const Json& value) {
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
}

}  // namespace

std::vector<TomlEntry> ReadTomlFile(const std::filesystem::path& path) {
  const std::string file = path.string();
  const std::string text = ReadFile(path);
  try {
    return TomlEntries(toml::parse(text), file);
  } catch (const toml::parse_error& error) {
    BadInput("io", "{}: is not TOML: {}", TomlPlace(file, error.source()), error.description());
  }
}

std::vector<std::string> SettingTexts(const Json& value, SettingKind kind, std::string_view place,
                                      std::string_view key) {
  const auto refuse = [&](std::string_view expected) {
    BadUsage("config", "{}: {} is {} {}, expected {}", place, key, KindOf(value), value.dump(),
             expected);
  };
  switch (kind) {
    case SettingKind::kFlag:
      if (!value.is_boolean()) refuse("true or false");
      return {value.get<bool>() ? "true" : "false"};
    case SettingKind::kInteger:
      if (!value.is_number_integer()) refuse("an integer without quotes");
      return {NumberText(value)};
    case SettingKind::kNumber:
      if (!value.is_number()) refuse("a number without quotes");
      return {NumberText(value)};
    case SettingKind::kText:
      if (value.is_number()) return {NumberText(value)};
      if (!value.is_string()) refuse("one text in quotes");
      return {value.get<std::string>()};
    case SettingKind::kTexts:
      break;
  }
  std::vector<std::string> texts;
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& element : list) {
    if (!element.is_string() && !element.is_number()) {
      refuse("a list of texts, [\"...\", \"...\"]");
    }
    texts.push_back(element.is_string() ? element.get<std::string>() : NumberText(element));
  }
  if (texts.empty()) refuse("a list of one text or more; leave the line out for the default");
  return texts;
}

void UnknownSetting(std::string_view place, std::string_view key,
                    std::span<const std::string> known, std::string_view hint) {
  const std::string nearest = Nearest(key, known);
  BadUsage("config", "{}: unknown setting '{}'{}", place, key,
           nearest.empty() ? std::string(hint) : fmt::format("; did you mean '{}'?", nearest));
}

}  // namespace grin
