#pragma once
// Typed access to the fields of a JSON object: config.json, tokenizer.json and their like. Every
// error names the file, the place in it, what stands there and what was expected.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// An object at a place such as "config.json" or "tokenizer.json: pre_tokenizer.pretokenizers[0]".
// It refers to the JSON value, which must outlive it. A field that holds null counts as absent.
// Every getter throws Error (bad input) for a value of another type, and for an absent field where
// it takes no fallback.
class JsonFields {
 public:
  JsonFields(const Json& object, std::string where);

  const std::string& where() const { return where_; }
  // The place of a field: "config.json: vocab_size".
  std::string WhereOf(std::string_view field) const;

  // Whether the field is there, be it null.
  bool Has(std::string_view field) const { return object_.contains(field); }
  // The value; null pointer where it is absent.
  const Json* Find(std::string_view field) const;
  const Json& Get(std::string_view field) const;

  const std::string& String(std::string_view field) const;
  std::string String(std::string_view field, std::string_view otherwise) const;
  // A string of one character.
  char32_t Character(std::string_view field) const;
  bool Bool(std::string_view field, bool otherwise) const;
  const Json& Array(std::string_view field) const;

  // A whole number of any size.
  int64_t Integer(std::string_view field) const;
  // A whole number of 1 to 2^31; of 0 to 2^31.
  int64_t Count(std::string_view field, std::optional<int64_t> otherwise = std::nullopt) const;
  int64_t CountOrZero(std::string_view field, int64_t otherwise) const;
  // A number above 0; a list of such.
  std::optional<double> Real(std::string_view field) const;
  double Real(std::string_view field, double otherwise) const;
  std::vector<double> Reals(std::string_view field) const;
  // A token id or a list of them; none where the field is absent.
  std::vector<int32_t> TokenIds(std::string_view field) const;

 private:
  [[noreturn]] void Refuse(std::string_view field, const Json& value,
                           std::string_view expected) const;

  const Json& object_;
  std::string where_;
};

// "'text'", "12", "an object with 3 fields", ...: what a value is, for messages.
std::string DescribeJson(const Json& value);

// Error (bad input) for a component of a type that is not known, with those that are.
[[noreturn]] void UnknownType(const JsonFields& fields, std::string_view type,
                              std::initializer_list<std::string_view> known);

}  // namespace grin
