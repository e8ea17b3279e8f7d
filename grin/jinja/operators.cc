// Operators and members of values.

#include <algorithm>
#include <cmath>

#include "grin/jinja/builtins.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

[[noreturn]] void TooBig(const Rendering& rendering, std::string_view op) {
  rendering.Fail("the result of {} does not fit 64 bits", op);
}

int64_t FloorDivide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t IntegerPower(const Rendering& rendering, int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) TooBig(rendering, "**");
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) TooBig(rendering, "**");
  }
  return result;
}

Value Integers(const Rendering& rendering, std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "**") {
    if (b < 0) {
      if (a == 0) rendering.Fail("division by zero");
      return std::pow(static_cast<double>(a), static_cast<double>(b));
    }
    result = IntegerPower(rendering, a, b);
  } else {
    if (b == 0) rendering.Fail("division by zero");
    if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
    overflow = a == INT64_MIN && b == -1;
    if (!overflow) result = op == "//" ? FloorDivide(a, b) : a - FloorDivide(a, b) * b;
  }
  if (overflow) TooBig(rendering, op);
  return result;
}

Value Numbers(const Rendering& rendering, std::string_view op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") return std::pow(a, b);
  if (b == 0) rendering.Fail("division by zero");
  if (op == "/") return a / b;
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (op == "%") return rest;
  return std::floor((a - rest) / b + 0.5);
}

Value Repeat(Rendering& rendering, const Value& value, int64_t times) {
  const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
  const size_t size = value.is(Kind::kString) ? value.text().size() : value.items().size();
  size_t total = 0;
  if (__builtin_mul_overflow(size, count, &total)) TooBig(rendering, "*");
  rendering.Spend(total / (value.is(Kind::kString) ? 16 : 1) + 1);
  if (size == 0) return value;
  if (value.is(Kind::kString)) {
    std::string text;
    text.reserve(total);
    for (size_t i = 0; i < count; ++i) text += value.text();
    return text;
  }
  Value::Items items;
  items.reserve(total);
  for (size_t i = 0; i < count; ++i) {
    items.insert(items.end(), value.items().begin(), value.items().end());
  }
  return Value::Of(rendering, std::move(items), value.sequence_kind());
}

bool IsListOrTuple(const Value& value) {
  return value.is(Kind::kSequence) && value.sequence_kind() != SequenceKind::kIterator;
}

// The position of an index that may count from the end; -1 when there is none.
int64_t Position(int64_t index, int64_t size) {
  if (index < 0) index += size;
  return index < size ? index : -1;
}

Value LoopAttribute(const Loop& loop, std::string_view name) {
  const auto size = static_cast<int64_t>(loop.items.size());
  const int64_t at = loop.index0;
  if (name == "index") return at + 1;
  if (name == "index0") return at;
  if (name == "revindex") return size - at;
  if (name == "revindex0") return size - at - 1;
  if (name == "first") return at == 0;
  if (name == "last") return at == size - 1;
  if (name == "length") return size;
  if (name == "depth") return int64_t{1};  // only recursive loops go deeper
  if (name == "depth0") return int64_t{0};
  if (name == "previtem") {
    return at > 0 ? loop.items[static_cast<size_t>(at - 1)]
                  : Value::Undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return at + 1 < size ? loop.items[static_cast<size_t>(at + 1)]
                         : Value::Undefined("there is no next item");
  }
  return Value::Undefined(fmt::format("'loop' has no attribute '{}'", name));
}

Value Missing(const Value& value, std::string_view name) {
  return Value::Undefined(fmt::format("a {} has no member '{}'", TypeName(value), name));
}

Value OwnAttribute(const Value& value, std::string_view name) {
  if (HasMethod(value, name)) {
    return std::make_shared<const Function>(Function{std::string(name), value});
  }
  if (value.is(Kind::kLoop)) return LoopAttribute(value.loop(), name);
  if (value.is(Kind::kNamespace)) {
    const auto& variables = value.space().variables;
    const auto found = variables.find(name);
    if (found != variables.end()) return found->second;
  }
  return Missing(value, name);
}

}  // namespace

Value Arithmetic(Rendering& rendering, std::string_view op, const Value& a, const Value& b) {
  NeedDefined(rendering, a);
  if (op == "%" && a.is(Kind::kString)) return FormatPercent(rendering, a.text(), b);
  NeedDefined(rendering, b);
  if (a.IsInteger() && b.IsInteger()) return Integers(rendering, op, a.integer(), b.integer());
  if (a.IsNumber() && b.IsNumber()) return Numbers(rendering, op, a.number(), b.number());
  if (op == "+" && a.is(Kind::kString) && b.is(Kind::kString)) {
    rendering.SpendText(a.text().size() + b.text().size());
    return a.text() + b.text();
  }
  if (op == "+" && IsListOrTuple(a) && IsListOrTuple(b) && a.sequence_kind() == b.sequence_kind()) {
    rendering.Spend(a.items().size() + b.items().size() + 1);
    Value::Items items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return Value::Of(rendering, std::move(items), a.sequence_kind());
  }
  if (op == "*" && b.IsInteger() && (a.is(Kind::kString) || IsListOrTuple(a))) {
    return Repeat(rendering, a, b.integer());
  }
  if (op == "*" && a.IsInteger() && (b.is(Kind::kString) || IsListOrTuple(b))) {
    return Repeat(rendering, b, a.integer());
  }
  rendering.Fail("{} cannot be used between {} and {}", op, TypeName(a), TypeName(b));
}

bool Contains(Rendering& rendering, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      NeedDefined(rendering, item);
      if (!item.is(Kind::kString)) {
        rendering.Fail("'in' a str needs a str, not {}", TypeName(item));
      }
      rendering.SpendText(container.text().size());
      return FindPart(container.text(), item.text()) != std::string::npos;
    case Kind::kSequence:
      for (const Value& other : container.items()) {
        if (Equal(rendering, other, item)) return true;
      }
      return false;
    case Kind::kDict:
      return Find(rendering, container, item) != nullptr;
    case Kind::kUndefined:
      return false;
    default:
      rendering.Fail("'in' cannot look into a {}", TypeName(container));
  }
}

int64_t Length(Rendering& rendering, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      rendering.SpendText(value.text().size());
      return CharacterCount(value.text());
    case Kind::kDict:
      return static_cast<int64_t>(value.entries().size());
    case Kind::kLoop:
      return static_cast<int64_t>(value.loop().items.size());
    case Kind::kSequence:
      if (value.sequence_kind() != SequenceKind::kIterator) {
        return static_cast<int64_t>(value.items().size());
      }
      [[fallthrough]];
    default:
      rendering.Fail("a {} has no length", TypeName(value));
  }
}

Value GetAttribute(Rendering& rendering, const Value& value, std::string_view name) {
  NeedDefined(rendering, value);
  rendering.Spend(1);
  if (value.is(Kind::kDict) && !HasMethod(value, name)) {
    const Value* found = Find(rendering, value, name);
    return found ? *found : Missing(value, name);
  }
  return OwnAttribute(value, name);
}

Value GetItem(Rendering& rendering, const Value& value, const Value& key) {
  NeedDefined(rendering, value);
  rendering.Spend(1);
  if (value.is(Kind::kDict)) {
    if (const Value* found = Find(rendering, value, key)) return *found;
  } else if (IsListOrTuple(value) && key.IsInteger()) {
    const auto size = static_cast<int64_t>(value.items().size());
    const int64_t at = Position(key.integer(), size);
    if (at < 0) {
      return Value::Undefined(
          fmt::format("there is no item {} in a {} of {}", key.integer(), TypeName(value), size));
    }
    return value.items()[static_cast<size_t>(at)];
  } else if (value.is(Kind::kString) && key.IsInteger()) {
    rendering.Spend(value.text().size());
    const auto characters = Characters(value.text());
    const int64_t at = Position(key.integer(), static_cast<int64_t>(characters.size()));
    if (at < 0) {
      return Value::Undefined(
          fmt::format("there is no character {} in a str of {}", key.integer(), characters.size()));
    }
    return characters[static_cast<size_t>(at)];
  }
  if (key.is(Kind::kString)) return OwnAttribute(value, key.text());
  return Missing(value, ToText(rendering, key));
}

Value GetSlice(Rendering& rendering, const Value& value, const Value& start, const Value& stop,
               const Value& step) {
  NeedDefined(rendering, value);
  if (!IsListOrTuple(value) && !value.is(Kind::kString)) {
    rendering.Fail("a {} has no slices", TypeName(value));
  }
  for (const Value* bound : {&start, &stop, &step}) {
    NeedDefined(rendering, *bound);
    if (!bound->IsInteger() && !bound->is(Kind::kNone)) {
      rendering.Fail("the bounds of a slice must be integers, not {}", TypeName(*bound));
    }
  }
  const Value::Items items = Iterate(rendering, value);
  const auto size = static_cast<int64_t>(items.size());
  const int64_t by = IntegerOr(rendering, step, 1);
  if (by == 0) rendering.Fail("the step of a slice cannot be 0");
  // Past the ends, as Python has it: -1 is before the first item when going down.
  const auto clamp = [&](const Value& bound, int64_t otherwise) {
    if (bound.is(Kind::kNone)) return otherwise;
    int64_t at = bound.integer();
    if (at < 0) at += size;
    return std::min(std::max(at, by > 0 ? int64_t{0} : int64_t{-1}), by > 0 ? size : size - 1);
  };
  const int64_t first = clamp(start, by > 0 ? 0 : size - 1);
  const int64_t last = clamp(stop, by > 0 ? size : -1);
  Value::Items taken;
  for (int64_t at = first; by > 0 ? at < last : at > last;) {
    taken.push_back(items[static_cast<size_t>(at)]);
    if (__builtin_add_overflow(at, by, &at)) break;
  }
  if (!value.is(Kind::kString)) {
    return Value::Of(rendering, std::move(taken), value.sequence_kind());
  }
  std::string text;
  for (const Value& character : taken) text += character.text();
  return text;
}

}  // namespace grin::jinja
