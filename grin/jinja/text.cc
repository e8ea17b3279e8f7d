// Values as text: str, repr and json.dumps of Python.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "grin/base/utf8.h"
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

}  // namespace grin::jinja
