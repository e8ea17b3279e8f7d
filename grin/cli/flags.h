#pragma once
// Binds option structs to the command line and to TOML. An option struct names each field once, in
// its Visit; flags, config keys, --help and the recipe all come from there.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grin/io/toml_file.h"

namespace grin {

class Flags {
 public:
  explicit Flags(CLI::App& app) : app_(app) {}

  // Adds every field of an option struct under a heading of --help. The struct must outlive this.
  template <typename Options>
  void Bind(const std::string& heading, Options& options) {
    heading_ = heading;
    options.Visit(*this);
  }

  // One field: called by Visit.
  template <typename T>
  void operator()(const std::string& name, T& value, const std::string& help) {
    CLI::Option* option;
    if constexpr (std::is_same_v<T, bool>) {
      option = app_.add_flag(fmt::format("--{}", name), value, help);
    } else {
      option = app_.add_option(fmt::format("--{}", name), value, help);
      if constexpr (std::is_same_v<T, std::optional<double>>) {
        option->type_name("FLOAT");  // without a default of its own
      } else if constexpr (!std::is_same_v<T, std::string>) {
        if constexpr (std::is_arithmetic_v<T>) {
          option->capture_default_str();
        } else {
          option->delimiter(',');  // a list: with commas, spaces or several flags
        }
      } else {
        if (!value.empty()) option->capture_default_str();
      }
      // Scripts put what a user adds behind their own flags: the last one counts.
      if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string> ||
                    std::is_same_v<T, std::optional<double>>) {
        option->take_last();
      }
    }
    option->group(heading_);
    entries_[name] = {option, KindOfField<T>()};
    order_.push_back(name);
  }

  // Accepts every field of an option struct in a file of settings, and ignores it: a recipe of
  // `unlearn` serves its single stages too. What is bound as well is not ignored.
  template <typename Options>
  void IgnoreInConfig() {
    Options options;
    Ignoring ignoring{ignored_};
    options.Visit(ignoring);
  }

  // One field that is a list with commas: the flag may also be repeated.
  void List(const std::string& name, std::string& value, const std::string& help) {
    (*this)(name, value, help);
    entries_[name].option->join(',');
    entries_[name].kind = SettingKind::kTexts;
  }

  // An argument without a flag, which must be given.
  void Positional(const std::string& name, std::string& value, const std::string& help) {
    app_.add_option(name, value, help)->required();
    entries_[name] = {nullptr, SettingKind::kText};
    order_.push_back(name);
  }

  // The same, which may be left out.
  void OptionalPositional(const std::string& name, std::string& value, const std::string& help) {
    app_.add_option(name, value, help);
    entries_[name] = {nullptr, SettingKind::kText};
    order_.push_back(name);
  }

  // Arguments without a flag, at least one.
  void Positional(const std::string& name, std::vector<std::string>& values,
                  const std::string& help) {
    app_.add_option(name, values, help)->required();
    entries_[name] = {nullptr, SettingKind::kTexts};
    order_.push_back(name);
  }

  // Takes the values of a flat TOML file, or of the recipe in a grin.json, for every option that
  // the command line did not set. Error (bad input) where the file is not TOML; Error (usage) for a
  // key that no option has and that is not ignored (naming the nearest option), for a value of
  // another type than its option's, and for a section. Each names the line and the column.
  void ApplyConfig(const std::filesystem::path& path);

  std::vector<std::string> Names() const { return order_; }

 private:
  // A visitor that only takes names.
  struct Ignoring {
    std::set<std::string>& names;

    template <typename T>
    void operator()(const std::string& name, T&, const std::string&) {
      names.insert(name);
    }
    void List(const std::string& name, std::string&, const std::string&) { names.insert(name); }
  };

  template <typename T>
  static constexpr SettingKind KindOfField() {
    if constexpr (std::is_same_v<T, bool>) return SettingKind::kFlag;
    if constexpr (std::is_integral_v<T>) return SettingKind::kInteger;
    if constexpr (std::is_floating_point_v<T>) return SettingKind::kNumber;
    if constexpr (std::is_same_v<T, std::optional<double>>) return SettingKind::kNumber;
    if constexpr (std::is_same_v<T, std::string>) return SettingKind::kText;
    return SettingKind::kTexts;
  }

  struct Entry {
    CLI::Option* option = nullptr;  // null: an argument without a flag
    SettingKind kind = SettingKind::kText;
  };

  CLI::App& app_;
  std::string heading_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> order_;
  std::set<std::string> ignored_;
};

}  // namespace grin
