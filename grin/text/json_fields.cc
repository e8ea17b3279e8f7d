#include "grin/text/json_fields.h"

#include <fmt/ranges.h>

#include "grin/base/error.h"
#include "grin/base/utf8.h"

namespace grin {

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
    BadInput("text", "{} is {}, expected an object", where_, DescribeJson(object));
}

std::string JsonFields::WhereOf(std::string_view field) const {
  return fmt::format("{}.{}", where_, field);
}

const Json* JsonFields::Find(std::string_view field) const {
  const auto found = object_.find(field);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::Get(std::string_view field) const {
  const Json* value = Find(field);
  if (value == nullptr) BadInput("text", "{}: '{}' is missing", where_, field);
  return *value;
}

const std::string& JsonFields::String(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_string()) {
    BadInput("text", "{} is {}, expected a string", WhereOf(field), DescribeJson(value));
  }
  return value.get_ref<const std::string&>();
}

std::string JsonFields::String(std::string_view field, std::string_view otherwise) const {
  return Find(field) == nullptr ? std::string(otherwise) : String(field);
}

bool JsonFields::Bool(std::string_view field, bool otherwise) const {
  const Json* value = Find(field);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) {
    BadInput("text", "{} is {}, expected true or false", WhereOf(field), DescribeJson(*value));
  }
  return value->get<bool>();
}

int64_t JsonFields::Integer(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_number_integer()) {
    BadInput("text", "{} is {}, expected a whole number", WhereOf(field), DescribeJson(value));
  }
  return value.get<int64_t>();
}

const Json& JsonFields::Array(std::string_view field) const {
  const Json& value = Get(field);
  if (!value.is_array()) {
    BadInput("text", "{} is {}, expected an array", WhereOf(field), DescribeJson(value));
  }
  return value;
}

char32_t JsonFields::Character(std::string_view field) const {
  const std::string& text = String(field);
  size_t position = 0;
  if (FirstInvalidUtf8(text) == std::string::npos && !text.empty()) {
    const char32_t character = NextCharacter(text, position);
    if (position == text.size()) return character;
  }
  BadInput("text", "{} is '{}', expected a single character", WhereOf(field), text);
}

void UnknownType(const JsonFields& fields, std::string_view type,
                 std::initializer_list<std::string_view> known) {
  BadInput("text", "{} has the type '{}', which is not supported; known are {}", fields.where(),
           type, fmt::join(known, ", "));
}

}  // namespace grin
