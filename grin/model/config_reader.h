#pragma once
// Typed access to config.json and its like. Every error names the file, the key, what it holds and
// what it must.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

class ConfigReader {
 public:
  // `where` names the file in errors. Both must outlive the reader.
  ConfigReader(const Json& config, std::string_view where) : config_(config), where_(where) {}

  std::string_view where() const { return where_; }

  // Whether the key is there, be it null.
  bool Has(const char* key) const { return config_.contains(key); }

  // The value of a key, nullptr where it is absent or null.
  const Json* Find(const char* key) const;

  // A positive whole number; `fallback` where the key is absent or null, an error without one.
  int64_t Count(const char* key, std::optional<int64_t> fallback = std::nullopt) const;

  // A whole number, 0 or more.
  int64_t CountOrZero(const char* key, int64_t fallback) const;

  // A positive number.
  std::optional<double> Real(const char* key) const;
  double Real(const char* key, double fallback) const { return Real(key).value_or(fallback); }

  bool Flag(const char* key, bool fallback) const;
  std::string Text(const char* key, std::string_view fallback) const;

  // Numbers above 0.
  std::vector<double> Reals(const char* key) const;

  // A token id or a list of them; none where the key is absent or null.
  std::vector<int32_t> TokenIds(const char* key) const;

 private:
  const Json& config_;
  std::string_view where_;
};

}  // namespace grin
