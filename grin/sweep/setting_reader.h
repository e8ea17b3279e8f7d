#pragma once
// Sets the fields of option structs from the values of a TOML file, by the names that their Visit
// gives them.

#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "grin/base/comma_list.h"
#include "grin/io/toml_file.h"

namespace grin {

// One setting of the file.
struct SettingValue {
  std::string key;  // with '-', as flags have it
  Json value;
  std::string place;
};

// A key as flags write it: "draw_seed" is "draw-seed".
std::string SettingKey(std::string key);

class SettingReader {
 public:
  // Adds every field of an option struct, which must outlive this.
  template <typename Options>
  SettingReader& Bind(Options& options) {
    options.Visit(*this);
    return *this;
  }

  // A key that is not to be set here, and why.
  SettingReader& Refuse(const std::string& key, std::string why) {
    refused_[key] = std::move(why);
    return *this;
  }

  // Error (usage), with the place, for a key that is not known or refused, or a value of another
  // kind than the field's.
  void Set(const SettingValue& setting) const;

  // The kind of a field. Error (usage) as Set.
  SettingKind KindOf(const SettingValue& setting) const { return Find(setting).kind; }

  // Called by Visit.
  template <typename T>
  void operator()(const std::string& name, T& value, const std::string&) {
    if constexpr (std::is_same_v<T, bool>) {
      Add(name, SettingKind::kFlag, [&value](const auto& texts) { value = texts[0] == "true"; });
    } else if constexpr (std::is_integral_v<T>) {
      Add(name, SettingKind::kInteger,
          [&value](const auto& texts) { value = std::stoll(texts[0]); });
    } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>) {
      Add(name, SettingKind::kNumber, [&value](const auto& texts) { value = NumberOf(texts[0]); });
    } else if constexpr (std::is_same_v<T, std::string>) {
      Add(name, SettingKind::kText, [&value](const auto& texts) { value = texts[0]; });
    } else {
      static_assert(std::is_same_v<T, std::vector<std::string>>);
      Add(name, SettingKind::kTexts, [&value](const auto& texts) {
        value.clear();  // commas part as they do on the command line
        for (const std::string& text : texts) {
          for (std::string& part : CommaParts(text)) value.push_back(std::move(part));
        }
      });
    }
  }
  void List(const std::string& name, std::string& value, const std::string&) {
    Add(name, SettingKind::kTexts, [&value](const auto& texts) {
      value.clear();
      for (const std::string& text : texts) value += (value.empty() ? "" : ",") + text;
    });
  }

 private:
  struct Field {
    SettingKind kind;
    std::function<void(const std::vector<std::string>&)> set;
  };

  static double NumberOf(const std::string& text);
  void Add(const std::string& name, SettingKind kind,
           std::function<void(const std::vector<std::string>&)> set) {
    fields_[name] = {kind, std::move(set)};
  }
  const Field& Find(const SettingValue& setting) const;

  std::map<std::string, Field> fields_;
  std::map<std::string, std::string> refused_;
};

}  // namespace grin
