#include "grin/report/markup.h"

#include <algorithm>

#include "grin/base/printable.h"

namespace grin {
namespace {

constexpr std::string_view kVoid[] = {"meta", "link", "br", "hr", "img", "input", "col"};

// Escapes well-formed text.
void AppendEscaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
    }
  }
}

std::string Escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (const auto bad = FindInvalidUtf8(text)) {
    AppendEscaped(text.substr(0, *bad), out);
    out += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
  AppendEscaped(text, out);
  return out;
}

}  // namespace

Markup Text(std::string_view text) { return Markup(Escaped(text)); }

Markup Trusted(std::string text) { return Markup(std::move(text)); }

Markup Tag(std::string_view name, const std::vector<Attribute>& attributes, const Markup& inner) {
  std::string text = "<";
  text += name;
  for (const auto& [key, value] : attributes) {
    text += ' ';
    text += key;
    text += "=\"";
    text += Escaped(value);
    text += '"';
  }
  if (std::ranges::find(kVoid, name) != std::end(kVoid)) return Trusted(text + " />");
  text += '>';
  text += inner.str();
  text += "</";
  text += name;
  text += '>';
  return Trusted(std::move(text));
}

Markup TextTag(std::string_view name, const std::vector<Attribute>& attributes,
               std::string_view text) {
  return Tag(name, attributes, Text(text));
}

}  // namespace grin
