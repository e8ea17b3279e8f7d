// Filters of texts, numbers and values of any kind.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "grin/base/html.h"
#include "grin/jinja/filter.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

using Use = FilterUse;

Value Default(const Use& use) {
  const auto bound = use.Bound({"default_value", "boolean"});
  const bool replace = use.input.is(Kind::kUndefined) || (IsTrue(bound[1]) && !IsTrue(use.input));
  if (!replace) return use.input;
  return use.arguments.positional.empty() && bound[0].is(Kind::kUndefined) ? Value("") : bound[0];
}

Value Replace(const Use& use) {
  const auto bound = use.Bound({"old", "new", "count"}, 2);
  std::string text =
      ReplaceParts(use.Text(), ToText(use.rendering, bound[0]), ToText(use.rendering, bound[1]),
                   IntegerOr(use.rendering, bound[2], -1));
  use.rendering.SpendText(text.size());
  return text;
}

Value Trim(const Use& use) {
  const auto bound = use.Bound({"chars"});
  if (!bound[0].is(Kind::kString)) return Strip(use.Text(), Ends::kBoth);
  const std::string_view set = bound[0].text();
  return Strip(use.Text(), Ends::kBoth, &set);
}

Value Indent(const Use& use) {
  const auto bound = use.Bound({"width", "first", "blank"});
  NeedDefined(use.rendering, use.input);
  if (!use.input.is(Kind::kString)) use.rendering.Fail("indent of a {}", TypeName(use.input));
  const std::string indent =
      bound[0].is(Kind::kString)
          ? bound[0].text()
          : Arithmetic(use.rendering, "*", " ", IntegerOr(use.rendering, bound[0], 4)).text();
  const std::string text = use.Text() + "\n";
  std::string out = IsTrue(bound[1]) ? indent : "";
  bool first = true;
  for (std::string_view line : SplitLines(text)) {
    use.rendering.SpendText(indent.size() + line.size());
    if (!first) out += '\n';
    if (!first && (IsTrue(bound[2]) || !line.empty())) out += indent;
    out += line;
    first = false;
  }
  return out;
}

// Jinja's title differs from Python's: words begin behind white space, - and opening brackets.
Value TitleFilter(const Use& use) {
  use.Bound({});
  const std::string text = use.Text();
  std::string out;
  bool begins = true;
  std::string word;
  const auto finish = [&] {
    const size_t first = word.empty() ? 0 : Characters(word)[0].size();
    out += Upper(word.substr(0, first)) + Lower(word.substr(first));
    word.clear();
  };
  for (std::string_view character : Characters(text)) {
    const bool separator =
        IsSpace(character) || std::string_view("-({[<").find(character) != std::string::npos;
    if (separator != begins) finish();
    begins = separator;
    word += character;
  }
  finish();
  return out;
}

Value Escape(const Use& use) {
  use.Bound({});
  return EscapeHtml(use.Text());
}

// A number as text, with white space around; false when it is none.
template <typename Number, typename... Base>
bool Read(std::string_view text, Number& number, Base... base) {
  text = Strip(text, Ends::kBoth);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base...);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}

Value Int(const Use& use) {
  const auto bound = use.Bound({"default", "base"});
  NeedDefined(use.rendering, use.input);
  if (use.input.IsInteger()) return use.input.integer();
  double number = std::nan("");
  if (use.input.is(Kind::kFloat)) number = use.input.number();
  if (use.input.is(Kind::kString)) {
    const int64_t base = IntegerOr(use.rendering, bound[1], 10);
    if (base < 2 || base > 36) use.rendering.Fail("int: base {} is not in 2..36", base);
    int64_t integer = 0;
    if (Read(use.input.text(), integer, static_cast<int>(base))) return integer;
    if (!Read(use.input.text(), number)) number = std::nan("");
  }
  if (std::abs(number) < 9e18) return static_cast<int64_t>(number);
  return bound[0].is(Kind::kUndefined) ? Value(int64_t{0}) : bound[0];
}

Value Float(const Use& use) {
  const auto bound = use.Bound({"default"});
  NeedDefined(use.rendering, use.input);
  if (use.input.IsNumber()) return use.input.number();
  double number = 0;
  if (use.input.is(Kind::kString) && Read(use.input.text(), number)) return number;
  return bound[0].is(Kind::kUndefined) ? Value(0.0) : bound[0];
}

Value Abs(const Use& use) {
  use.Bound({});
  NeedDefined(use.rendering, use.input);
  if (!use.input.IsNumber()) use.rendering.Fail("abs of a {}", TypeName(use.input));
  if (use.input.is(Kind::kFloat)) return std::abs(use.input.number());
  return use.input.integer() < 0 ? Arithmetic(use.rendering, "-", int64_t{0}, use.input.integer())
                                 : Value(use.input.integer());
}

Value Round(const Use& use) {
  const auto bound = use.Bound({"precision", "method"});
  NeedDefined(use.rendering, use.input);
  if (!use.input.IsNumber()) use.rendering.Fail("round of a {}", TypeName(use.input));
  const int64_t precision = IntegerOr(use.rendering, bound[0], 0);
  const std::string method = TextOr(use.rendering, bound[1], "common");
  if (precision < 0 || precision > 100) use.rendering.Fail("round to {} digits", precision);
  const double number = use.input.number();
  if (method == "common") {
    if (use.input.IsInteger()) return use.input.integer();
    return std::stod(fmt::format("{:.{}f}", number, static_cast<int>(precision)));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return std::ceil(number * scale) / scale;
  if (method == "floor") return std::floor(number * scale) / scale;
  use.rendering.Fail("round: the method '{}' is none of common, ceil, floor", method);
}

Value ToJson(const Use& use) {
  const auto bound = use.Bound({"ensure_ascii", "indent", "separators", "sort_keys"});
  // In the order of the function that `transformers` puts in place of Jinja's.
  JsonStyle style;
  style.ensure_ascii = !bound[0].is(Kind::kUndefined) && IsTrue(bound[0]);
  style.sort_keys = IsTrue(bound[3]);
  if (bound[1].is(Kind::kString)) {
    style.indent = bound[1].text();
    style.lines = true;
  } else if (!bound[1].is(Kind::kUndefined) && !bound[1].is(Kind::kNone)) {
    const int64_t width = IntegerOr(use.rendering, bound[1], 0);
    style.indent = Arithmetic(use.rendering, "*", " ", width).text();
    style.lines = true;
  }
  if (style.lines) style.item_separator = ",";
  if (bound[2].is(Kind::kSequence)) {
    const auto& separators = bound[2].items();
    if (separators.size() != 2) use.rendering.Fail("tojson: separators must be two strings");
    style.item_separator = ToText(use.rendering, separators[0]);
    style.key_separator = ToText(use.rendering, separators[1]);
  }
  return ToJsonText(use.rendering, use.input, style);
}

Value Format(const Use& use) {
  if (!use.arguments.named.empty()) use.rendering.Fail("format with named values");
  return FormatPercent(use.rendering, use.Text(),
                       Value::Of(use.rendering, use.arguments.positional, SequenceKind::kTuple));
}

Value Center(const Use& use) {
  const auto bound = use.Bound({"width"});
  const std::string text = use.Text();
  const int64_t width = IntegerOr(use.rendering, bound[0], 80);
  const int64_t pad = std::max<int64_t>(width - CharacterCount(text), 0);
  use.rendering.SpendText(static_cast<size_t>(pad));
  const int64_t left = pad / 2 + (pad & width & 1);
  return std::string(static_cast<size_t>(left), ' ') + text +
         std::string(static_cast<size_t>(pad - left), ' ');
}

// Filters of one text without arguments.
Value OfText(const Use& use) {
  use.Bound({});
  if (use.name == "upper") return Upper(use.Text());
  if (use.name == "lower") return Lower(use.Text());
  if (use.name == "capitalize") return Capitalize(use.Text());
  return use.Text();  // string, safe
}

Value Attr(const Use& use) {
  const auto bound = use.Bound({"name"}, 1);
  if (use.input.is(Kind::kDict)) {  // its members are items, not attributes
    return Value::Undefined(fmt::format("a dict has no attribute '{}'",
                                        bound[0].is(Kind::kString) ? bound[0].text() : ""));
  }
  return GetAttribute(use.rendering, use.input, ToText(use.rendering, bound[0]));
}

Value LengthFilter(const Use& use) {
  use.Bound({});
  return Length(use.rendering, use.input);
}

Value WordCount(const Use& use) {
  use.Bound({});
  const std::string text = use.Text();
  int64_t words = 0;
  bool within = false;
  for (std::string_view character : Characters(text)) {
    const bool part = IsAlnum(character) || character == "_";
    words += part && !within;
    within = part;
  }
  return words;
}

}  // namespace

const FilterTable& ValueFilters() {
  static const FilterTable filters = {{"abs", Abs},
                                      {"attr", Attr},
                                      {"capitalize", OfText},
                                      {"center", Center},
                                      {"count", LengthFilter},
                                      {"d", Default},
                                      {"default", Default},
                                      {"e", Escape},
                                      {"escape", Escape},
                                      {"float", Float},
                                      {"forceescape", Escape},
                                      {"format", Format},
                                      {"indent", Indent},
                                      {"int", Int},
                                      {"length", LengthFilter},
                                      {"lower", OfText},
                                      {"replace", Replace},
                                      {"round", Round},
                                      {"safe", OfText},
                                      {"string", OfText},
                                      {"title", TitleFilter},
                                      {"tojson", ToJson},
                                      {"trim", Trim},
                                      {"upper", OfText},
                                      {"wordcount", WordCount}};
  return filters;
}

bool IsFilter(std::string_view name) {
  return ValueFilters().contains(name) || ListFilters().contains(name);
}

Value ApplyFilter(Rendering& rendering, std::string_view name, const Value& input,
                  const Arguments& arguments) {
  rendering.Spend(1);
  for (const FilterTable* table : {&ValueFilters(), &ListFilters()}) {
    const auto found = table->find(name);
    if (found != table->end()) return found->second({rendering, name, input, arguments});
  }
  rendering.Fail("the filter '{}' is not supported", name);
}

}  // namespace grin::jinja
