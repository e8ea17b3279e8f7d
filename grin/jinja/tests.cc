// Tests: value is name(arguments).

#include <map>

#include "grin/jinja/builtins.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

struct Use {
  Rendering& rendering;
  const Value& input;
  const Value& other;  // the argument of tests that have one
};

struct Test {
  size_t arguments;
  bool (*passes)(const Use&);
};

int64_t Number(const Use& use, const Value& value) {
  NeedDefined(use.rendering, value);
  if (!value.IsInteger()) use.rendering.Fail("an integer is needed, not {}", TypeName(value));
  return value.integer();
}

bool Divides(const Use& use) {
  const int64_t divisor = Number(use, use.other);
  if (divisor == 0) use.rendering.Fail("division by zero");
  return divisor == -1 || Number(use, use.input) % divisor == 0;
}

bool Same(const Use& use) { return Equal(use.rendering, use.input, use.other); }
bool Different(const Use& use) { return !Same(use); }
bool Below(const Use& use) { return Compare(use.rendering, use.input, use.other) < 0; }
bool Above(const Use& use) { return Compare(use.rendering, use.input, use.other) > 0; }
bool AtMost(const Use& use) { return Compare(use.rendering, use.input, use.other) <= 0; }
bool AtLeast(const Use& use) { return Compare(use.rendering, use.input, use.other) >= 0; }

bool IsSequence(const Use& use) {
  const Value& value = use.input;
  return value.is(Kind::kString) || value.is(Kind::kDict) || value.is(Kind::kUndefined) ||
         (value.is(Kind::kSequence) && value.sequence_kind() != SequenceKind::kIterator);
}

bool IsIterable(const Use& use) {
  const Value& value = use.input;
  return value.is(Kind::kString) || value.is(Kind::kDict) || value.is(Kind::kUndefined) ||
         value.is(Kind::kSequence) || value.is(Kind::kLoop);
}

// As in Python, where even what is undefined can be called, though it fails.
bool IsCallable(const Use& use) {
  return use.input.is(Kind::kFunction) || use.input.is(Kind::kLoop) ||
         use.input.is(Kind::kUndefined);
}

bool KnownName(const Use& use, bool (*known)(std::string_view)) {
  return use.input.is(Kind::kString) && known(use.input.text());
}

template <Kind kind>
bool Is(const Use& use) {
  return use.input.is(kind);
}

template <bool value>
bool IsExactly(const Use& use) {
  return use.input.is(Kind::kBool) && (use.input.integer() != 0) == value;
}

const auto& Tests() {
  static const std::map<std::string_view, Test> tests = {
      {"defined", {0, [](const Use& use) { return !use.input.is(Kind::kUndefined); }}},
      {"undefined", {0, Is<Kind::kUndefined>}},
      {"none", {0, Is<Kind::kNone>}},
      {"boolean", {0, Is<Kind::kBool>}},
      {"integer", {0, Is<Kind::kInt>}},
      {"float", {0, Is<Kind::kFloat>}},
      {"string", {0, Is<Kind::kString>}},
      {"mapping", {0, Is<Kind::kDict>}},
      {"number", {0, [](const Use& use) { return use.input.IsNumber(); }}},
      {"true", {0, IsExactly<true>}},
      {"false", {0, IsExactly<false>}},
      {"sequence", {0, IsSequence}},
      {"iterable", {0, IsIterable}},
      {"callable", {0, IsCallable}},
      {"escaped", {0, [](const Use&) { return false; }}},
      {"lower", {0, [](const Use& use) { return IsLower(ToText(use.rendering, use.input)); }}},
      {"upper", {0, [](const Use& use) { return IsUpper(ToText(use.rendering, use.input)); }}},
      {"odd", {0, [](const Use& use) { return Number(use, use.input) % 2 != 0; }}},
      {"even", {0, [](const Use& use) { return Number(use, use.input) % 2 == 0; }}},
      {"filter", {0, [](const Use& use) { return KnownName(use, IsFilter); }}},
      {"test", {0, [](const Use& use) { return KnownName(use, IsTest); }}},
      {"divisibleby", {1, Divides}},
      {"sameas", {1, [](const Use& use) { return use.input.SameAs(use.other); }}},
      {"in", {1, [](const Use& use) { return Contains(use.rendering, use.other, use.input); }}},
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
