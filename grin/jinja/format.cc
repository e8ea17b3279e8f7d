// "%s and %d" % (a, b) and "{} and {name}".format(a, name=b), without Python's width and precision
// for braces, which no chat template has been seen to use.

#include <cmath>

#include "grin/jinja/builtins.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

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
