#include "grin/model/config_reader.h"

#include "grin/base/error.h"

namespace grin {

const Json* ConfigReader::Find(const char* key) const {
  const auto found = config_.find(key);
  return found == config_.end() || found->is_null() ? nullptr : &*found;
}

int64_t ConfigReader::Count(const char* key, std::optional<int64_t> fallback) const {
  const Json* found = Find(key);
  if (!found) {
    if (fallback) return *fallback;
    BadInput("model", "{}: '{}' is missing", where_, key);
  }
  if (!found->is_number_integer() || found->get<int64_t>() <= 0 ||
      found->get<int64_t>() > int64_t{1} << 31) {
    BadInput("model", "{}: '{}' is {}; it must be a positive whole number", where_, key,
             found->dump());
  }
  return found->get<int64_t>();
}

int64_t ConfigReader::CountOrZero(const char* key, int64_t fallback) const {
  const Json* found = Find(key);
  return found && *found == 0 ? 0 : Count(key, fallback);
}

std::optional<double> ConfigReader::Real(const char* key) const {
  const Json* found = Find(key);
  if (!found) return std::nullopt;
  if (!found->is_number() || !(found->get<double>() > 0)) {
    BadInput("model", "{}: '{}' is {}; it must be a positive number", where_, key, found->dump());
  }
  return found->get<double>();
}

bool ConfigReader::Flag(const char* key, bool fallback) const {
  const Json* found = Find(key);
  if (!found) return fallback;
  if (!found->is_boolean()) {
    BadInput("model", "{}: '{}' is {}; it must be true or false", where_, key, found->dump());
  }
  return found->get<bool>();
}

std::string ConfigReader::Text(const char* key, std::string_view fallback) const {
  const Json* found = Find(key);
  if (!found) return std::string(fallback);
  if (!found->is_string()) {
    BadInput("model", "{}: '{}' is {}; it must be a string", where_, key, found->dump());
  }
  return found->get<std::string>();
}

std::vector<double> ConfigReader::Reals(const char* key) const {
  const Json* found = Find(key);
  if (!found) BadInput("model", "{}: '{}' is missing", where_, key);
  std::vector<double> values;
  if (found->is_array()) {
    for (const Json& value : *found) {
      if (value.is_number() && value.get<double>() > 0) values.push_back(value.get<double>());
    }
  }
  if (!found->is_array() || values.size() != found->size()) {
    BadInput("model", "{}: '{}' is {}; it must be a list of positive numbers", where_, key,
             found->dump());
  }
  return values;
}

std::vector<int32_t> ConfigReader::TokenIds(const char* key) const {
  const Json* found = Find(key);
  if (!found) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<int32_t> tokens;
  for (const Json& token : list) {
    if (!token.is_number_integer()) {
      BadInput("model", "{}: '{}' is {}; it must hold token ids", where_, key, found->dump());
    }
    tokens.push_back(token.get<int32_t>());
  }
  return tokens;
}

}  // namespace grin
