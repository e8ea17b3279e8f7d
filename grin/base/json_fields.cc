#include "grin/base/json_fields.h"

#include <fmt/ranges.h>

#include <utility>

#include "grin/base/error.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

constexpr int64_t kLargestCount = int64_t{1} << 31;

bool IsPositive(const Json& value) { return value.is_number() && value.get<double>() > 0; }

}  // namespace

std::string DescribeJson(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return fmt::format("an object with {} fields", value.size());
    case Json::value_t::array:
      return fmt::format("an array of {}", value.size());
    case Json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      return text.size() <= 40 ? fmt::format("'{}'", text) : "a long string";
    }
    default:
      return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

JsonFields::JsonFields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object())
    BadInput("io", "{} is {}, expected an object", where_, DescribeJson(object));
}

std::string JsonFields::WhereOf(std::string_view field) const {
  // The first field stands behind the file's name, those inside it behind dots.
  const bool inside = where_.find(": ") != std::string::npos;
  return fmt::format("{}{}{}", where_, inside ? "." : ": ", field);
}

void JsonFields::Refuse(std::string_view field, const Json& value,
                        std::string_view expected) const {
  BadInput("io", "{} is {}, expected {}", WhereOf(field), DescribeJson(value), expected);
}

const Json* JsonFields::Find(std::string_view field) const {
  const auto found = object_.find(field);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::Get(std::string_view field) const {
  const Json* value = Find(field);
  if (value == nullptr) BadInput("io", "{}: '{}' is missing", where_, field);
  return *value;
}

const std::string& JsonFields::String(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_string()) Refuse(field, value, "a string");
  return value.get_ref<const std::string&>();
}

std::string JsonFields::String(std::string_view field, std::string_view otherwise) const {
  return Find(field) == nullptr ? std::string(otherwise) : String(field);
}

char32_t JsonFields::Character(std::string_view field) const {
  const std::string& text = String(field);
  size_t position = 0;
  if (IsUtf8(text) && !text.empty()) {
    const char32_t character = NextCharacter(text, position);
    if (position == text.size()) return character;
  }
  Refuse(field, text, "a single character");
}

bool JsonFields::Bool(std::string_view field, bool otherwise) const {
  const Json* value = Find(field);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) Refuse(field, *value, "true or false");
  return value->get<bool>();
}

const Json& JsonFields::Array(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_array()) Refuse(field, value, "an array");
  return value;
}

int64_t JsonFields::Integer(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_number_integer()) Refuse(field, value, "a whole number");
  return value.get<int64_t>();
}

int64_t JsonFields::Count(std::string_view field, std::optional<int64_t> otherwise) const {
  if (otherwise && Find(field) == nullptr) return *otherwise;
  const Json& value = Get(field);
  if (!value.is_number_integer() || value.get<int64_t>() < 1 ||
      value.get<int64_t>() > kLargestCount) {
    Refuse(field, value, "a positive whole number");
  }
  return value.get<int64_t>();
}

int64_t JsonFields::CountOrZero(std::string_view field, int64_t otherwise) const {
  const Json* value = Find(field);
  return value != nullptr && *value == 0 ? 0 : Count(field, otherwise);
}

std::optional<double> JsonFields::Real(std::string_view field) const {
  const Json* value = Find(field);
  if (value == nullptr) return std::nullopt;
  if (!IsPositive(*value)) Refuse(field, *value, "a positive number");
  return value->get<double>();
}

double JsonFields::Real(std::string_view field, double otherwise) const {
  return Real(field).value_or(otherwise);
}

std::vector<double> JsonFields::Reals(std::string_view field) const {
  const Json& value = Get(field);
  std::vector<double> numbers;
  if (value.is_array()) {
    for (const Json& number : value) {
      if (!IsPositive(number)) Refuse(field, number, "a list of positive numbers");
      numbers.push_back(number.get<double>());
    }
    return numbers;
  }
  Refuse(field, value, "a list of positive numbers");
}

std::vector<int32_t> JsonFields::TokenIds(std::string_view field) const {
  const Json* value = Find(field);
  if (value == nullptr) return {};
  std::vector<int32_t> tokens;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& token : list) {
    if (!token.is_number_integer()) Refuse(field, token, "a token id or a list of them");
    tokens.push_back(token.get<int32_t>());
  }
  return tokens;
}

void UnknownType(const JsonFields& fields, std::string_view type,
                 std::initializer_list<std::string_view> known) {
  BadInput("io", "{} has the type '{}', which is not supported; known are {}", fields.where(), type,
           fmt::join(known, ", "));
}

}  // namespace grin
