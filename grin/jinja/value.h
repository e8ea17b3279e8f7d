#pragma once
// The values a template computes with: Python's, as far as Jinja shows them. Immutable and shared,
// except namespaces and the loop variable.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "grin/base/json.h"
#include "grin/jinja/rendering.h"

namespace grin::jinja {

struct Sequence;
struct Dict;
struct Namespace;
struct Loop;
struct Function;

// The order is that of Value's variant.
enum class Kind {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kSequence,
  kDict,
  kNamespace,
  kLoop,
  kFunction
};

// How a sequence prints and compares; an iterator (what map and select give) is always true.
enum class SequenceKind { kList, kTuple, kIterator };

class Value {
 public:
  using Items = std::vector<Value>;
  using Entries = std::vector<std::pair<Value, Value>>;

  Value() = default;  // none
  Value(bool value) : storage_(value) {}
  Value(int64_t value) : storage_(value) {}
  Value(double value) : storage_(value) {}
  Value(std::string text) : storage_(std::make_shared<const std::string>(std::move(text))) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::shared_ptr<Namespace> value) : storage_(std::move(value)) {}
  Value(std::shared_ptr<Loop> value) : storage_(std::move(value)) {}
  Value(std::shared_ptr<const Function> value) : storage_(std::move(value)) {}

  // `why` is what an error says when the value is needed: "'tools' is undefined".
  static Value Undefined(std::string why);
  // Both fail on values nested deeper than a hundred levels, or on keys that cannot be keys.
  static Value Of(const Rendering& rendering, Items items, SequenceKind kind = SequenceKind::kList);
  static Value Of(Rendering& rendering, Entries entries);
  static Value FromJson(Rendering& rendering, const Json& json);

  Kind kind() const { return static_cast<Kind>(storage_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool IsInteger() const { return is(Kind::kInt) || is(Kind::kBool); }
  bool IsNumber() const { return IsInteger() || is(Kind::kFloat); }

  // Each needs the kind it is named after; integer() also takes a bool, number() any number.
  int64_t integer() const { return is(Kind::kBool) ? get<bool>() : get<int64_t>(); }
  double number() const { return is(Kind::kFloat) ? get<double>() : double(integer()); }
  const std::string& text() const { return *get<std::shared_ptr<const std::string>>(); }
  const Items& items() const;
  SequenceKind sequence_kind() const;
  const Entries& entries() const;
  Namespace& space() const { return *get<std::shared_ptr<Namespace>>(); }
  Loop& loop() const { return *get<std::shared_ptr<Loop>>(); }
  const Function& function() const { return *get<std::shared_ptr<const Function>>(); }
  const std::string& why_undefined() const { return *get<NotDefined>().why; }

  // Same object, as `is` in Python.
  bool SameAs(const Value& other) const { return storage_ == other.storage_; }

 private:
  struct NotDefined {
    std::shared_ptr<const std::string> why;
    bool operator==(const NotDefined&) const { return true; }
  };
  using Storage = std::variant<NotDefined, std::monostate, bool, int64_t, double,
                               std::shared_ptr<const std::string>, std::shared_ptr<const Sequence>,
                               std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                               std::shared_ptr<Loop>, std::shared_ptr<const Function>>;

  template <typename T>
  const T& get() const {
    return std::get<T>(storage_);
  }
  int depth() const;

  Storage storage_ = std::monostate();
};

struct Sequence {
  Value::Items items;
  SequenceKind kind;
  int depth;  // of values within values
};

struct Dict {
  Value::Entries entries;  // in the order they were added; keys differ
  int depth;
};

struct Namespace {
  std::map<std::string, Value, std::less<>> variables;
};

// The variable `loop` of a for loop.
struct Loop {
  Value::Items items;
  int64_t index0 = 0;
  // What loop.changed() was last called with, as text: a value could hold this loop.
  std::optional<std::string> last_changed;
};

struct Statement;
struct Scope;

// Something to call: a macro, a method of `self`, or a global function.
struct Function {
  std::string name;
  Value self = Value::Undefined("");
  const Statement* macro = nullptr;
  std::shared_ptr<Scope> scope = {};  // of the macro
};

// What a function, filter or test is called with.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// "str", "list", ...: Python's name of the type, for errors.
std::string_view TypeName(const Value& value);

bool IsTrue(const Value& value);

// Fails with why the value is undefined, if it is.
void NeedDefined(const Rendering& rendering, const Value& value);

// ==, and the order of < for numbers, strings and sequences: below, at or above 0.
bool Equal(Rendering& rendering, const Value& a, const Value& b);
int Compare(Rendering& rendering, const Value& a, const Value& b);

// The value of a key; nullptr when there is none.
const Value* Find(Rendering& rendering, const Value& dict, const Value& key);
const Value* Find(Rendering& rendering, const Value& dict, std::string_view key);

// What a for loop runs over: items, characters, keys; nothing for an undefined value.
Value::Items Iterate(Rendering& rendering, const Value& value);

// str(value), as {{ value }} prints it.
std::string ToText(Rendering& rendering, const Value& value);
// repr(value), as it prints within a list.
std::string ToRepr(Rendering& rendering, const Value& value);
// 1.0, 1e+16: the shortest decimal that reads back the same, as Python writes it.
std::string FloatText(double value);

struct JsonStyle {
  std::string indent;  // of one level, when `lines`
  bool lines = false;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
// json.dumps(value).
std::string ToJsonText(Rendering& rendering, const Value& value, const JsonStyle& style);

}  // namespace grin::jinja
