// Values as text: str, repr and json.dumps of Python; and texts with places to fill: "%s and %d" %
// (a, b),
// "{} and {name}".format(a, name=b), the latter without Python's width and precision for braces,
// which no chat template has been seen to use.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "grin/base/utf8.h"
#include "grin/jinja/builtins.h"
#include "grin/jinja/string.h"
#include "grin/jinja/value.h"

namespace grin::jinja {
namespace {

void AppendRepr(Rendering& rendering, const std::string& text, std::string& out) {
  rendering.SpendText(text.size());
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  out += quote;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = NextCharacter(text, i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (IsPrintable(c)) {
      AppendUtf8(out, c);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
    }
  }
  out += quote;
}

void AppendRepr(Rendering& rendering, const Value& value, std::string& out) {
  rendering.Spend(1);
  std::string_view comma;
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      break;
    case Kind::kNone:
      out += "None";
      break;
    case Kind::kBool:
      out += value.integer() ? "True" : "False";
      break;
    case Kind::kInt:
      out += std::to_string(value.integer());
      break;
    case Kind::kFloat:
      out += FloatText(value.number());
      break;
    case Kind::kString:
      AppendRepr(rendering, value.text(), out);
      break;
    case Kind::kSequence: {
      const bool tuple = value.sequence_kind() == SequenceKind::kTuple;
      out += tuple ? '(' : '[';
      for (const Value& item : value.items()) {
        out += std::exchange(comma, ", ");
        AppendRepr(rendering, item, out);
      }
      if (tuple && value.items().size() == 1) out += ',';
      out += tuple ? ')' : ']';
      break;
    }
    case Kind::kDict:
      out += '{';
      for (const auto& [key, item] : value.entries()) {
        out += std::exchange(comma, ", ");
        AppendRepr(rendering, key, out);
        out += ": ";
        AppendRepr(rendering, item, out);
      }
      out += '}';
      break;
    default:  // what they hold may hold them
      out += fmt::format("<{}>", TypeName(value));
  }
}

void AppendJson(Rendering& rendering, const std::string& text, bool ensure_ascii,
                std::string& out) {
  rendering.SpendText(text.size());
  constexpr std::string_view kShort = "\"\\\n\r\t\f\b";
  constexpr std::string_view kLetters = "\"\\nrtfb";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const char32_t c = NextCharacter(text, i);
    const size_t at = c < 0x80 ? kShort.find(static_cast<char>(c)) : std::string_view::npos;
    if (at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else if (c >= 0x20 && (c < 0x7f || !ensure_ascii)) {
      AppendUtf8(out, c);
    } else if (c == 0x7f) {
      out += static_cast<char>(c);
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      const uint32_t rest = static_cast<uint32_t>(c) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
    }
  }
  out += '"';
}

std::string JsonNumber(const Value& value) {
  if (value.is(Kind::kBool)) return value.integer() ? "true" : "false";
  if (value.is(Kind::kInt)) return std::to_string(value.integer());
  const double number = value.number();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  return FloatText(number);
}

std::string JsonKey(const Rendering& rendering, const Value& key) {
  if (key.is(Kind::kString)) return key.text();
  if (key.is(Kind::kNone)) return "null";
  if (key.IsNumber()) return JsonNumber(key);
  rendering.Fail("tojson: the key of a dict is a {}", TypeName(key));
}

void AppendJson(Rendering& rendering, const Value& value, const JsonStyle& style, int level,
                std::string& out) {
  rendering.Spend(1);
  const auto line = [&](int at) {
    if (!style.lines) return;
    out += '\n';
    for (int i = 0; i < at; ++i) out += style.indent;
    rendering.SpendText(style.indent.size() * static_cast<size_t>(at));
  };
  std::string_view comma;
  switch (value.kind()) {
    case Kind::kNone:
      out += "null";
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      out += JsonNumber(value);
      break;
    case Kind::kString:
      AppendJson(rendering, value.text(), style.ensure_ascii, out);
      break;
    case Kind::kSequence:
      if (value.sequence_kind() == SequenceKind::kIterator) {
        rendering.Fail("tojson: a generator is not JSON; put |list before it");
      }
      out += '[';
      for (const Value& item : value.items()) {
        out += std::exchange(comma, style.item_separator);
        line(level + 1);
        AppendJson(rendering, item, style, level + 1, out);
      }
      if (!value.items().empty()) line(level);
      out += ']';
      break;
    case Kind::kDict: {
      Value::Entries entries = value.entries();
      if (style.sort_keys) {
        std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
          return Compare(rendering, a.first, b.first) < 0;
        });
      }
      out += '{';
      for (const auto& [key, item] : entries) {
        out += std::exchange(comma, style.item_separator);
        line(level + 1);
        AppendJson(rendering, JsonKey(rendering, key), style.ensure_ascii, out);
        out += style.key_separator;
        AppendJson(rendering, item, style, level + 1, out);
      }
      if (!entries.empty()) line(level);
      out += '}';
      break;
    }
    default:
      NeedDefined(rendering, value);
      rendering.Fail("tojson: a {} is not JSON", TypeName(value));
  }
}

// One %-directive: [flags][width][.precision]letter.
struct Directive {
  bool left = false;
  bool zero = false;
  bool plus = false;
  size_t width = 0;
  int precision = -1;
  char letter = ' ';
};

Directive ReadDirective(Rendering& rendering, const std::string& text, size_t& at) {
  Directive directive;
  const auto here = [&] { return at < text.size() ? text[at] : '\0'; };
  for (; here() == '-' || here() == '0' || here() == '+'; ++at) {
    directive.left |= here() == '-';
    directive.zero |= here() == '0';
    directive.plus |= here() == '+';
  }
  const auto number = [&] {
    int64_t value = 0;
    for (; here() >= '0' && here() <= '9'; ++at) value = std::min(value * 10 + here() - '0', 1000L);
    return value;
  };
  directive.width = static_cast<size_t>(number());
  if (here() == '.') {
    ++at;
    directive.precision = static_cast<int>(number());
  }
  if (at >= text.size()) rendering.Fail("'{}' ends within a %-directive", text);
  directive.letter = text[at++];
  return directive;
}

std::string Converted(Rendering& rendering, const Directive& directive, const Value& value) {
  const char letter = directive.letter;
  if (letter == 's') return ToText(rendering, value);
  if (letter == 'r') return ToRepr(rendering, value);
  NeedDefined(rendering, value);
  if (!value.IsNumber()) {
    rendering.Fail("%{} needs a number, not {}", letter, TypeName(value));
  }
  const double number = value.number();
  std::string text;
  if (letter == 'f') {
    text = fmt::format("{:.{}f}", number, directive.precision < 0 ? 6 : directive.precision);
  } else if (letter == 'd' || letter == 'i') {
    if (!value.IsInteger() && !(std::abs(number) < 9e18)) {
      rendering.Fail("%{} of {}", letter, FloatText(number));
    }
    text = std::to_string(value.IsInteger() ? value.integer() : static_cast<int64_t>(number));
  } else {
    rendering.Fail("%{} is not supported; s, r, d, i and f are", letter);
  }
  return directive.plus && text[0] != '-' ? "+" + text : text;
}

void AppendPadded(const Directive& directive, std::string text, std::string& out) {
  if (directive.letter == 's' && directive.precision >= 0) {
    std::string cut;
    const auto characters = Characters(text);
    for (size_t i = 0; i < std::min<size_t>(characters.size(), directive.precision); ++i) {
      cut += characters[i];
    }
    text = cut;
  }
  const auto length = static_cast<size_t>(CharacterCount(text));
  const size_t pad = directive.width > length ? directive.width - length : 0;
  const bool number = directive.letter != 's' && directive.letter != 'r';
  if (directive.left) {
    out += text + std::string(pad, ' ');
  } else if (directive.zero && number) {
    const size_t sign = text[0] == '-' || text[0] == '+';
    out += text.substr(0, sign) + std::string(pad, '0') + text.substr(sign);
  } else {
    out += std::string(pad, ' ') + text;
  }
}

}  // namespace

std::string ToText(Rendering& rendering, const Value& value) {
  if (value.is(Kind::kUndefined)) return {};
  if (value.is(Kind::kString)) {
    rendering.SpendText(value.text().size());
    return value.text();
  }
  return ToRepr(rendering, value);
}

std::string ToRepr(Rendering& rendering, const Value& value) {
  std::string out;
  AppendRepr(rendering, value, out);
  return out;
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::abs(value);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string text(buffer, end);
  if (fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string ToJsonText(Rendering& rendering, const Value& value, const JsonStyle& style) {
  std::string out;
  AppendJson(rendering, value, style, 0, out);
  return out;
}

std::string FormatPercent(Rendering& rendering, const std::string& text, const Value& arguments) {
  const bool tuple =
      arguments.is(Kind::kSequence) && arguments.sequence_kind() == SequenceKind::kTuple;
  const Value::Items values = tuple ? arguments.items() : Value::Items{arguments};
  size_t used = 0;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      out += text[at++];
      continue;
    }
    const Directive directive = ReadDirective(rendering, text, ++at);
    if (directive.letter == '%') {
      out += '%';
    } else {
      if (used >= values.size()) rendering.Fail("'{}' has more directives than values", text);
      AppendPadded(directive, Converted(rendering, directive, values[used++]), out);
    }
    rendering.SpendText(text.size());
  }
  const bool mapping = !tuple && (arguments.is(Kind::kDict) || arguments.is(Kind::kSequence));
  if (used < values.size() && !mapping) {
    rendering.Fail("'{}' has fewer directives than values", text);
  }
  return out;
}

std::string FormatBraces(Rendering& rendering, const std::string& text,
                         const Arguments& arguments) {
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      out += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      out += c;
      ++at;
      continue;
    }
    const size_t end = text.find('}', at);
    if (c == '}' || end == std::string::npos) rendering.Fail("'{}' has a single brace", text);
    const std::string field = text.substr(at + 1, end - at - 1);
    at = end;
    const bool position = field.find_first_not_of("0123456789") == std::string::npos;
    const Value* value = nullptr;
    if (position) {
      const size_t index = field.empty() ? next++ : std::stoul(field.substr(0, 6));
      if (index < arguments.positional.size()) value = &arguments.positional[index];
    }
    for (const auto& [name, named] : arguments.named) {
      if (name == field) value = &named;
    }
    if (value == nullptr) rendering.Fail("format: there is no value for '{{{}}}'", field);
    out += ToText(rendering, *value);
  }
  rendering.SpendText(text.size());
  return out;
}

}  // namespace grin::jinja
