#pragma once
// How filters are written: functions of what they are used with, in tables by name.

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "grin/jinja/builtins.h"

namespace grin::jinja {

// One use of a filter: input | name(arguments).
struct FilterUse {
  Rendering& rendering;
  std::string_view name;  // because some filters share a function
  const Value& input;
  const Arguments& arguments;

  std::vector<Value> Bound(std::initializer_list<std::string_view> parameters,
                           size_t needed = 0) const {
    return Bind(rendering, name, arguments, parameters, needed);
  }
  std::string Text() const { return ToText(rendering, input); }
  Value::Items Items() const { return Iterate(rendering, input); }
  // For map, select and their like, to which none and false are as good as nothing.
  Value::Items ItemsIfTrue() const { return IsTrue(input) ? Items() : Value::Items{}; }
  Value List(Value::Items items, SequenceKind kind = SequenceKind::kList) const {
    return Value::Of(rendering, std::move(items), kind);
  }
};

using FilterTable = std::map<std::string_view, Value (*)(const FilterUse&)>;

// Filters of single values, and of lists and dicts.
const FilterTable& ValueFilters();
const FilterTable& ListFilters();

}  // namespace grin::jinja
