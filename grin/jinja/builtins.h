#pragma once
// What Jinja and Python provide to templates: operators, members, methods, filters, tests and
// global functions. All fail (BadInput, with the template's line) where Python would raise.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "grin/jinja/value.h"

namespace grin::jinja {

// a + b, - * / // % **.
Value Arithmetic(Rendering& rendering, std::string_view op, const Value& a, const Value& b);
// item in container.
bool Contains(Rendering& rendering, const Value& container, const Value& item);
// len(value).
int64_t Length(Rendering& rendering, const Value& value);

// value.name and value[key]; undefined when there is no such member.
Value GetAttribute(Rendering& rendering, const Value& value, std::string_view name);
Value GetItem(Rendering& rendering, const Value& value, const Value& key);
// value[start:stop:step]; none for what is left out.
Value GetSlice(Rendering& rendering, const Value& value, const Value& start, const Value& stop,
               const Value& step);

bool HasMethod(const Value& value, std::string_view name);
Value CallMethod(Rendering& rendering, const Function& method, const Arguments& arguments);

bool IsFilter(std::string_view name);
Value ApplyFilter(Rendering& rendering, std::string_view name, const Value& input,
                  const Arguments& arguments);

bool IsTest(std::string_view name);
bool ApplyTest(Rendering& rendering, std::string_view name, const Value& input,
               const Arguments& arguments);

// raise_exception, strftime_now, namespace, range, dict.
bool IsGlobal(std::string_view name);
Value CallGlobal(Rendering& rendering, std::string_view name, const Arguments& arguments);

// text % arguments, and text.format(arguments).
std::string FormatPercent(Rendering& rendering, const std::string& text, const Value& arguments);
std::string FormatBraces(Rendering& rendering, const std::string& text, const Arguments& arguments);

// The arguments of `callee` in the order of `parameters`; undefined where absent. Fails when the
// first `needed` are not all there, or when there are others.
std::vector<Value> Bind(Rendering& rendering, std::string_view callee, const Arguments& arguments,
                        std::initializer_list<std::string_view> parameters, size_t needed = 0);

// An argument of a kind; `otherwise` where it is undefined or none.
int64_t IntegerOr(Rendering& rendering, const Value& argument, int64_t otherwise);
std::string TextOr(Rendering& rendering, const Value& argument, std::string_view otherwise);

}  // namespace grin::jinja
