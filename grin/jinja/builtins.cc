// Global functions, and tests: value is name(arguments).

#include "grin/jinja/builtins.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "grin/jinja/string.h"

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

struct TestUse {
  Rendering& rendering;
  const Value& input;
  const Value& other;  // the argument of tests that have one
};

struct Test {
  size_t arguments;
  bool (*passes)(const TestUse&);
};

int64_t TestedInteger(const TestUse& use, const Value& value) {
  NeedDefined(use.rendering, value);
  if (!value.IsInteger()) use.rendering.Fail("an integer is needed, not {}", TypeName(value));
  return value.integer();
}

bool Divides(const TestUse& use) {
  const int64_t divisor = TestedInteger(use, use.other);
  if (divisor == 0) use.rendering.Fail("division by zero");
  return divisor == -1 || TestedInteger(use, use.input) % divisor == 0;
}

bool Same(const TestUse& use) { return Equal(use.rendering, use.input, use.other); }
bool Different(const TestUse& use) { return !Same(use); }
bool Below(const TestUse& use) { return Compare(use.rendering, use.input, use.other) < 0; }
bool Above(const TestUse& use) { return Compare(use.rendering, use.input, use.other) > 0; }
bool AtMost(const TestUse& use) { return Compare(use.rendering, use.input, use.other) <= 0; }
bool AtLeast(const TestUse& use) { return Compare(use.rendering, use.input, use.other) >= 0; }

bool IsSequence(const TestUse& use) {
  const Value& value = use.input;
  return value.is(Kind::kString) || value.is(Kind::kDict) || value.is(Kind::kUndefined) ||
         (value.is(Kind::kSequence) && value.sequence_kind() != SequenceKind::kIterator);
}

bool IsIterable(const TestUse& use) {
  const Value& value = use.input;
  return value.is(Kind::kString) || value.is(Kind::kDict) || value.is(Kind::kUndefined) ||
         value.is(Kind::kSequence) || value.is(Kind::kLoop);
}

// As in Python, where even what is undefined can be called, though it fails.
bool IsCallable(const TestUse& use) {
  return use.input.is(Kind::kFunction) || use.input.is(Kind::kLoop) ||
         use.input.is(Kind::kUndefined);
}

bool KnownName(const TestUse& use, bool (*known)(std::string_view)) {
  return use.input.is(Kind::kString) && known(use.input.text());
}

template <Kind kind>
bool Is(const TestUse& use) {
  return use.input.is(kind);
}

template <bool value>
bool IsExactly(const TestUse& use) {
  return use.input.is(Kind::kBool) && (use.input.integer() != 0) == value;
}

const auto& Tests() {
  static const std::map<std::string_view, Test> tests = {
      {"defined", {0, [](const TestUse& use) { return !use.input.is(Kind::kUndefined); }}},
      {"undefined", {0, Is<Kind::kUndefined>}},
      {"none", {0, Is<Kind::kNone>}},
      {"boolean", {0, Is<Kind::kBool>}},
      {"integer", {0, Is<Kind::kInt>}},
      {"float", {0, Is<Kind::kFloat>}},
      {"string", {0, Is<Kind::kString>}},
      {"mapping", {0, Is<Kind::kDict>}},
      {"number", {0, [](const TestUse& use) { return use.input.IsNumber(); }}},
      {"true", {0, IsExactly<true>}},
      {"false", {0, IsExactly<false>}},
      {"sequence", {0, IsSequence}},
      {"iterable", {0, IsIterable}},
      {"callable", {0, IsCallable}},
      {"escaped", {0, [](const TestUse&) { return false; }}},
      {"lower", {0, [](const TestUse& use) { return IsLower(ToText(use.rendering, use.input)); }}},
      {"upper", {0, [](const TestUse& use) { return IsUpper(ToText(use.rendering, use.input)); }}},
      {"odd", {0, [](const TestUse& use) { return TestedInteger(use, use.input) % 2 != 0; }}},
      {"even", {0, [](const TestUse& use) { return TestedInteger(use, use.input) % 2 == 0; }}},
      {"filter", {0, [](const TestUse& use) { return KnownName(use, IsFilter); }}},
      {"test", {0, [](const TestUse& use) { return KnownName(use, IsTest); }}},
      {"divisibleby", {1, Divides}},
      {"sameas", {1, [](const TestUse& use) { return use.input.SameAs(use.other); }}},
      {"in", {1, [](const TestUse& use) { return Contains(use.rendering, use.other, use.input); }}},
      {"==", {1, Same}},
      {"eq", {1, Same}},
      {"equalto", {1, Same}},
      {"!=", {1, Different}},
      {"ne", {1, Different}},
      {"<", {1, Below}},
      {"lt", {1, Below}},
      {"lessthan", {1, Below}},
      {">", {1, Above}},
      {"gt", {1, Above}},
      {"greaterthan", {1, Above}},
      {"<=", {1, AtMost}},
      {"le", {1, AtMost}},
      {">=", {1, AtLeast}},
      {"ge", {1, AtLeast}}};
  return tests;
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

bool IsTest(std::string_view name) { return Tests().contains(name); }

bool ApplyTest(Rendering& rendering, std::string_view name, const Value& input,
               const Arguments& arguments) {
  rendering.Spend(1);
  const auto found = Tests().find(name);
  if (found == Tests().end()) rendering.Fail("the test 'is {}' is not supported", name);
  const Test& test = found->second;
  if (arguments.positional.size() != test.arguments || !arguments.named.empty()) {
    rendering.Fail("the test 'is {}' takes {} arguments, not {}", name, test.arguments,
                   arguments.positional.size() + arguments.named.size());
  }
  const Value none;
  return test.passes({rendering, input, test.arguments ? arguments.positional[0] : none});
}

}  // namespace grin::jinja
