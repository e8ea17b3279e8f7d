// Global functions.

#include <algorithm>
#include <ctime>

#include "grin/jinja/builtins.h"

namespace grin::jinja {
namespace {

// As Python's sandbox has it.
constexpr int64_t kLongestRange = 100'000;

Value Range(Rendering& rendering, const Arguments& arguments) {
  const auto bound = Bind(rendering, "range", arguments, {"start", "stop", "step"}, 1);
  const bool only_stop = bound[1].is(Kind::kUndefined);
  const int64_t start = only_stop ? 0 : IntegerOr(rendering, bound[0], 0);
  const int64_t stop = IntegerOr(rendering, bound[only_stop ? 0 : 1], 0);
  const int64_t step = IntegerOr(rendering, bound[2], 1);
  if (step == 0) rendering.Fail("range: the step is 0");
  Value::Items items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<int64_t>(items.size()) == kLongestRange) {
      rendering.Fail("range: more than {} numbers", kLongestRange);
    }
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  rendering.Spend(items.size() + 1);
  return Value::Of(rendering, std::move(items));
}

// The pairs that dict(...) and namespace(...) are made of.
Value::Entries Pairs(Rendering& rendering, const Arguments& arguments) {
  Value::Entries entries;
  if (arguments.positional.size() > 1) rendering.Fail("dict takes one value and named ones");
  for (const Value& given : arguments.positional) {
    NeedDefined(rendering, given);
    if (given.is(Kind::kDict)) {
      entries = given.entries();
      continue;
    }
    for (const Value& pair : Iterate(rendering, given)) {
      const Value::Items two = Iterate(rendering, pair);
      if (two.size() != 2) rendering.Fail("dict needs pairs; one item has {} parts", two.size());
      entries.emplace_back(two[0], two[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(name, value);
  return entries;
}

Value MakeNamespace(Rendering& rendering, const Arguments& arguments) {
  auto space = std::make_shared<Namespace>();
  for (auto& [key, value] : Pairs(rendering, arguments)) {
    space->variables.insert_or_assign(ToText(rendering, key), value);
  }
  rendering.namespaces.push_back(space);
  return space;
}

Value StrftimeNow(Rendering& rendering, const Arguments& arguments) {
  const auto bound = Bind(rendering, "strftime_now", arguments, {"format"}, 1);
  const std::string format = ToText(rendering, bound[0]);
  const std::chrono::sys_days day = rendering.date;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(day);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  if (format.size() > 1000) rendering.Fail("strftime_now: a format of {} bytes", format.size());
  // The C locale, whatever the process has set: %B is "July".
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  std::string text(format.size() * 64 + 1, '\0');
  text.resize(strftime_l(text.data(), text.size(), format.c_str(), &parts, locale));
  return text;
}

}  // namespace

bool IsGlobal(std::string_view name) {
  return name == "range" || name == "dict" || name == "namespace" || name == "raise_exception" ||
         name == "strftime_now";
}

Value CallGlobal(Rendering& rendering, std::string_view name, const Arguments& arguments) {
  rendering.Spend(1);
  if (name == "range") return Range(rendering, arguments);
  if (name == "dict") return Value::Of(rendering, Pairs(rendering, arguments));
  if (name == "namespace") return MakeNamespace(rendering, arguments);
  if (name == "strftime_now") return StrftimeNow(rendering, arguments);
  const auto bound = Bind(rendering, name, arguments, {"message"}, 1);
  rendering.Fail("the template refuses the conversation: {}", ToText(rendering, bound[0]));
}

}  // namespace grin::jinja
