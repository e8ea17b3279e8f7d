#pragma once
// TOML files as plain values that know where they stand, so that whoever reads settings can name
// the line and the column of what is wrong.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// One key of a TOML file with its value.
struct TomlEntry {
  std::string key;
  std::string place;  // "sets.toml:3:5": the file as it was given, line and column from 1
  bool is_table = false;
  // A string, integer, number, boolean, or an array of values and objects; null for a table.
  Json value;
  std::vector<TomlEntry> entries;  // of a table, in the order of the file
  // Of an array of tables ([[name]]), each a table of its own; `value` holds them all as well.
  std::vector<TomlEntry> tables;
};

// The entries of the file's top level, in the order of the file. Error (bad input) when the file
// cannot be read, is not TOML (with line and column), or holds a date or a time, which no setting
// is.
std::vector<TomlEntry> ReadTomlFile(const std::filesystem::path& path);

// What kinds of values a setting takes.
enum class SettingKind { kFlag, kInteger, kNumber, kText, kTexts };

// The value as the texts that a command line would give: one, or several for kTexts. A text may
// also be written as a number, and a list of one text without brackets. Error (wrong usage) that
// names the place, what was found and what was expected when the value is of another kind.
std::vector<std::string> SettingTexts(const Json& value, SettingKind kind, std::string_view place,
                                      std::string_view key);

// Error (wrong usage) for a key that is none of `known`: names the place, and the nearest known
// key.
[[noreturn]] void UnknownSetting(std::string_view place, std::string_view key,
                                 std::span<const std::string> known, std::string_view hint = "");

}  // namespace grin
