#pragma once
// Typed access to the fields of a JSON object, with messages that say where in the file and what
// was expected.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

// An object at a place such as "tokenizer.json: pre_tokenizer.pretokenizers[0]". Refers to the
// JSON value, which must outlive it. Every getter throws Error (bad input) on a wrong type.
class JsonFields {
 public:
  JsonFields(const Json& object, std::string where);

  const std::string& where() const { return where_; }
  std::string WhereOf(std::string_view field) const;

  // Null when the field is absent or null.
  const Json* Find(std::string_view field) const;
  // Error when it is absent or null.
  const Json& Get(std::string_view field) const;

  const std::string& String(std::string_view field) const;
  std::string String(std::string_view field, std::string_view otherwise) const;
  bool Bool(std::string_view field, bool otherwise) const;
  int64_t Integer(std::string_view field) const;
  const Json& Array(std::string_view field) const;

  // "field" as one character.
  char32_t Character(std::string_view field) const;

 private:
  const Json& object_;
  std::string where_;
};

// "a string", "12", "an object with 3 fields", ...: what a value is, for messages.
std::string DescribeJson(const Json& value);

// Error: a component type that is not known, with those that are.
[[noreturn]] void UnknownType(const JsonFields& fields, std::string_view type,
                              std::initializer_list<std::string_view> known);

}  // namespace grin
