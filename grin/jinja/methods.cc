// Methods of strings, dicts, lists and the loop variable.

#include <algorithm>
#include <span>

#include "grin/jinja/builtins.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

bool Among(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool Among(std::string_view name, std::initializer_list<std::string_view> names) {
  return Among(name, std::span(names.begin(), names.size()));
}

Value TextList(Rendering& rendering, const std::vector<std::string_view>& parts,
               SequenceKind kind = SequenceKind::kList) {
  rendering.Spend(parts.size());
  Value::Items items(parts.begin(), parts.end());
  return Value::Of(rendering, std::move(items), kind);
}

const std::string& NeedText(Rendering& rendering, std::string_view method, const Value& value) {
  NeedDefined(rendering, value);
  if (!value.is(Kind::kString)) {
    rendering.Fail("{} needs a str, not {}", method, TypeName(value));
  }
  return value.text();
}

// The part of `text` between two character positions, as slices take them.
std::string Between(Rendering& rendering, const Value& text, const Value& start,
                    const Value& stop) {
  const auto bound = [](const Value& value) {
    return value.is(Kind::kUndefined) ? Value() : value;
  };
  if (!bound(start).is(Kind::kNone) || !bound(stop).is(Kind::kNone)) {
    return GetSlice(rendering, text, bound(start), bound(stop), {}).text();
  }
  return text.text();
}

Value StartsOrEnds(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"prefix", "start", "end"}, 1);
  const std::string text = Between(rendering, method.self, bound[1], bound[2]);
  const auto matches = [&](const Value& part) {
    const std::string& given = NeedText(rendering, method.name, part);
    return method.name == "startswith" ? text.starts_with(given) : text.ends_with(given);
  };
  const bool tuple =
      bound[0].is(Kind::kSequence) && bound[0].sequence_kind() == SequenceKind::kTuple;
  if (!tuple) return matches(bound[0]);
  return std::any_of(bound[0].items().begin(), bound[0].items().end(), matches);
}

Value SplitMethod(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"sep", "maxsplit"});
  const std::string& text = method.self.text();
  const int64_t most = IntegerOr(rendering, bound[1], -1);
  if (bound[0].is(Kind::kUndefined) || bound[0].is(Kind::kNone)) {
    if (method.name == "rsplit" && most >= 0) {
      rendering.Fail("rsplit at white space with a limit is not supported");
    }
    return TextList(rendering, SplitWords(text, most));
  }
  const std::string& separator = NeedText(rendering, method.name, bound[0]);
  if (separator.empty()) rendering.Fail("{}: the separator is empty", method.name);
  return TextList(rendering, method.name == "split" ? Split(text, separator, most)
                                                    : SplitFromRight(text, separator, most));
}

Value Partition(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"sep"}, 1);
  const std::string_view text = method.self.text();
  const std::string& separator = NeedText(rendering, method.name, bound[0]);
  if (separator.empty()) rendering.Fail("{}: the separator is empty", method.name);
  const bool first = method.name == "partition";
  const auto parts = first ? Split(text, separator, 1) : SplitFromRight(text, separator, 1);
  std::vector<std::string_view> three = {parts[0], separator, parts.back()};
  if (parts.size() == 1)
    three = first ? decltype(three){text, "", ""} : decltype(three){"", "", text};
  return TextList(rendering, three, SequenceKind::kTuple);
}

Value FindMethod(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"sub"}, 1);
  const std::string& text = method.self.text();
  const std::string& part = NeedText(rendering, method.name, bound[0]);
  if (method.name == "count") return CountParts(text, part);
  size_t at = FindPart(text, part);
  if (method.name == "rfind" && at != std::string::npos) {
    at = part.empty() ? text.size()
                      : text.size() - SplitFromRight(text, part, 1)[1].size() - part.size();
  }
  if (at == std::string::npos) {
    if (method.name == "index") rendering.Fail("index: '{}' is not there", part);
    return int64_t{-1};
  }
  return CharacterCount(std::string_view(text).substr(0, at));
}

Value JoinMethod(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"iterable"}, 1);
  std::string text;
  bool first = true;
  for (const Value& item : Iterate(rendering, bound[0])) {
    if (!std::exchange(first, false)) text += method.self.text();
    text += NeedText(rendering, method.name, item);
    rendering.SpendText(method.self.text().size() + item.text().size());
  }
  return text;
}

Value PadMethod(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const auto bound = Bind(rendering, method.name, arguments, {"width", "fillchar"}, 1);
  const std::string& text = method.self.text();
  const int64_t width = IntegerOr(rendering, bound[0], 0);
  const std::string fill = TextOr(rendering, bound[1], method.name == "zfill" ? "0" : " ");
  const int64_t pad = std::max<int64_t>(width - CharacterCount(text), 0);
  rendering.SpendText(static_cast<size_t>(pad) * fill.size());
  std::string padding;
  for (int64_t i = 0; i < pad; ++i) padding += fill;
  if (method.name == "ljust") return text + padding;
  const size_t sign = method.name == "zfill" && (text.starts_with('-') || text.starts_with('+'));
  return text.substr(0, sign) + padding + text.substr(sign);
}

constexpr std::string_view kTextMethods[] = {
    "strip",      "lstrip",     "rstrip",  "split",        "rsplit",       "splitlines",
    "startswith", "endswith",   "replace", "upper",        "lower",        "title",
    "capitalize", "join",       "find",    "rfind",        "index",        "count",
    "partition",  "rpartition", "format",  "removeprefix", "removesuffix", "isdigit",
    "isalpha",    "isalnum",    "isspace", "isupper",      "islower",      "isnumeric",
    "isdecimal",  "ljust",      "rjust",   "zfill",        "casefold",     "swapcase"};

Value CallText(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const std::string& name = method.name;
  const std::string& text = method.self.text();
  rendering.SpendText(text.size());
  if (name == "startswith" || name == "endswith") {
    return StartsOrEnds(rendering, method, arguments);
  }
  if (name == "split" || name == "rsplit") return SplitMethod(rendering, method, arguments);
  if (name == "partition" || name == "rpartition") return Partition(rendering, method, arguments);
  if (Among(name, {"find", "rfind", "index", "count"})) {
    return FindMethod(rendering, method, arguments);
  }
  if (name == "join") return JoinMethod(rendering, method, arguments);
  if (name == "format") return FormatBraces(rendering, text, arguments);
  if (Among(name, {"ljust", "rjust", "zfill"})) return PadMethod(rendering, method, arguments);
  if (Among(name, {"strip", "lstrip", "rstrip"})) {
    const auto bound = Bind(rendering, name, arguments, {"chars"});
    const Ends ends = name == "strip" ? Ends::kBoth : name == "lstrip" ? Ends::kLeft : Ends::kRight;
    if (bound[0].is(Kind::kUndefined) || bound[0].is(Kind::kNone)) return Strip(text, ends);
    const std::string_view set = NeedText(rendering, name, bound[0]);
    return Strip(text, ends, &set);
  }
  if (name == "replace") {
    const auto bound = Bind(rendering, name, arguments, {"old", "new", "count"}, 2);
    std::string result =
        ReplaceParts(text, NeedText(rendering, name, bound[0]), NeedText(rendering, name, bound[1]),
                     IntegerOr(rendering, bound[2], -1));
    rendering.SpendText(result.size());
    return result;
  }
  if (name == "removeprefix" || name == "removesuffix") {
    const auto bound = Bind(rendering, name, arguments, {"part"}, 1);
    const std::string& part = NeedText(rendering, name, bound[0]);
    if (name == "removeprefix") return text.starts_with(part) ? text.substr(part.size()) : text;
    return text.ends_with(part) ? text.substr(0, text.size() - part.size()) : text;
  }
  if (name == "splitlines") {
    const auto bound = Bind(rendering, name, arguments, {"keepends"});
    return TextList(rendering, SplitLines(text, IsTrue(bound[0])));
  }
  Bind(rendering, name, arguments, {});
  if (name == "upper") return Upper(text);
  if (name == "lower" || name == "casefold") return Lower(text);
  if (name == "title") return Title(text);
  if (name == "capitalize") return Capitalize(text);
  if (name == "isalpha") return IsAlpha(text);
  if (name == "isalnum") return IsAlnum(text);
  if (name == "isspace") return IsSpace(text);
  if (name == "isupper") return IsUpper(text);
  if (name == "islower") return IsLower(text);
  if (name == "swapcase") {
    std::string swapped;
    for (std::string_view c : Characters(text)) swapped += IsUpper(c) ? Lower(c) : Upper(c);
    return swapped;
  }
  return IsDigit(text);  // isdigit, isdecimal, isnumeric
}

constexpr std::string_view kDictMethods[] = {"items", "keys",    "values", "get",        "copy",
                                             "pop",   "popitem", "clear",  "setdefault", "update"};

Value CallDict(Rendering& rendering, const Function& method, const Arguments& arguments) {
  const std::string& name = method.name;
  if (name == "get") {
    const auto bound = Bind(rendering, name, arguments, {"key", "default"}, 1);
    const Value* found = Find(rendering, method.self, bound[0]);
    if (found) return *found;
    return arguments.positional.size() + arguments.named.size() > 1 ? bound[1] : Value();
  }
  Bind(rendering, name, arguments, {});
  if (name == "copy") return method.self;
  Value::Items items;
  for (const auto& [key, item] : method.self.entries()) {
    rendering.Spend(1);
    if (name == "items") {
      items.push_back(Value::Of(rendering, Value::Items{key, item}, SequenceKind::kTuple));
    } else {
      items.push_back(name == "keys" ? key : item);
    }
  }
  return Value::Of(rendering, std::move(items));
}

constexpr std::string_view kListMethods[] = {"index",   "count",  "copy",   "append",
                                             "extend",  "insert", "remove", "pop",
                                             "reverse", "sort",   "clear"};

Value CallList(Rendering& rendering, const Function& method, const Arguments& arguments) {
  if (method.name == "copy") return method.self;
  const auto bound = Bind(rendering, method.name, arguments, {"value"}, 1);
  int64_t count = 0;
  int64_t at = 0;
  for (const Value& item : method.self.items()) {
    if (Equal(rendering, item, bound[0])) {
      if (method.name == "index") return at;
      ++count;
    }
    ++at;
  }
  if (method.name == "index") rendering.Fail("index: the list does not have this value");
  return count;
}

Value CallLoop(Rendering& rendering, const Function& method, const Arguments& arguments) {
  Loop& loop = method.self.loop();
  if (method.name == "cycle") {
    const auto& values = arguments.positional;
    if (values.empty()) rendering.Fail("loop.cycle needs values");
    return values[static_cast<size_t>(loop.index0) % values.size()];
  }
  const std::string now =
      ToRepr(rendering, Value::Of(rendering, arguments.positional, SequenceKind::kTuple));
  return std::exchange(loop.last_changed, now) != now;
}

}  // namespace

bool HasMethod(const Value& value, std::string_view name) {
  switch (value.kind()) {
    case Kind::kString:
      return Among(name, kTextMethods);
    case Kind::kDict:
      return Among(name, kDictMethods);
    case Kind::kSequence:
      return Among(name, kListMethods);
    case Kind::kLoop:
      return name == "cycle" || name == "changed";
    default:
      return false;
  }
}

Value CallMethod(Rendering& rendering, const Function& method, const Arguments& arguments) {
  rendering.Spend(1);
  const Kind kind = method.self.kind();
  const bool dict = kind == Kind::kDict;
  if (Among(method.name, {"pop", "popitem", "clear", "setdefault", "update", "append", "extend",
                          "insert", "remove", "reverse", "sort"})) {
    rendering.Fail("{}: a template cannot change a {} in place", method.name,
                   TypeName(method.self));
  }
  if (dict) return CallDict(rendering, method, arguments);
  if (kind == Kind::kSequence) return CallList(rendering, method, arguments);
  if (kind == Kind::kLoop) return CallLoop(rendering, method, arguments);
  return CallText(rendering, method, arguments);
}

std::vector<Value> Bind(Rendering& rendering, std::string_view callee, const Arguments& arguments,
                        std::initializer_list<std::string_view> parameters, size_t needed) {
  if (arguments.positional.size() > parameters.size()) {
    rendering.Fail("{} takes at most {} arguments, not {}", callee, parameters.size(),
                   arguments.positional.size());
  }
  std::vector<Value> bound = arguments.positional;
  std::vector<bool> given(parameters.size(), false);
  std::fill_n(given.begin(), bound.size(), true);
  bound.resize(parameters.size(), Value::Undefined("the argument is absent"));
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    if (found == parameters.end()) rendering.Fail("{} has no argument '{}'", callee, name);
    const auto at = static_cast<size_t>(found - parameters.begin());
    if (given[at]) rendering.Fail("{} is given '{}' twice", callee, name);
    given[at] = true;
    bound[at] = value;
  }
  for (size_t i = 0; i < needed; ++i) {
    if (!given[i]) rendering.Fail("{} needs the argument '{}'", callee, *(parameters.begin() + i));
  }
  return bound;
}

int64_t IntegerOr(Rendering& rendering, const Value& argument, int64_t otherwise) {
  if (argument.is(Kind::kUndefined) || argument.is(Kind::kNone)) return otherwise;
  if (!argument.IsInteger()) rendering.Fail("an integer is needed, not {}", TypeName(argument));
  return argument.integer();
}

std::string TextOr(Rendering& rendering, const Value& argument, std::string_view otherwise) {
  if (argument.is(Kind::kUndefined) || argument.is(Kind::kNone)) return std::string(otherwise);
  return ToText(rendering, argument);
}

}  // namespace grin::jinja
