#include "grin/report/markup.h"

#include <algorithm>

#include "grin/base/html.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

constexpr std::string_view kVoid[] = {"meta", "link", "br", "hr", "img", "input", "col"};

// Text that is fit for a page: ill-formed bytes and control characters, which pages must not hold,
// are replaced by U+FFFD before it is escaped.
std::string CleanEscaped(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string clean;
  for (const char c : LossyUtf8(text)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control && c != '\n' && c != '\t') {
      clean += kReplacement;
    } else {
      clean += c;
    }
  }
  return EscapeHtml(clean);
}

}  // namespace

Markup Text(std::string_view text) { return Markup(CleanEscaped(text)); }

Markup Trusted(std::string text) { return Markup(std::move(text)); }

Markup Tag(std::string_view name, const std::vector<Attribute>& attributes, const Markup& inner) {
  std::string text = "<";
  text += name;
  for (const auto& [key, value] : attributes) {
    text += ' ';
    text += key;
    text += "=\"";
    text += CleanEscaped(value);
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
