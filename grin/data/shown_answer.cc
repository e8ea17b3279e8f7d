#include "grin/data/shown_answer.h"

#include <algorithm>

#include "grin/base/utf8.h"
#include "grin/text/character_class.h"

namespace grin {
namespace {

// Bytes of white space in front, as Python's lstrip takes it off.
size_t SpaceInFront(std::string_view text) {
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t character = NextCharacter(text, at);
    const bool separator = character >= 0x1c && character <= 0x1f;  // a space to Python alone
    if (!separator && !IsWhitespace(character)) break;
    end = at;
  }
  return end;
}

size_t SpaceBehind(std::string_view text) {
  size_t begin = text.size();
  for (size_t at = text.size(); at > 0;) {
    const char32_t character = PreviousCharacter(text, at);
    const bool separator = character >= 0x1c && character <= 0x1f;
    if (!separator && !IsWhitespace(character)) break;
    begin = at;
  }
  return text.size() - begin;
}

}  // namespace

std::string OtherAnswer(std::string_view answer) {
  const std::string_view bare = answer.substr(SpaceInFront(answer));
  for (const char* letter : {"x", "y", "z"}) {
    if (!answer.starts_with(letter) && !bare.starts_with(letter)) return letter;
  }
  return "w";
}

std::optional<ShownAnswer> FindShown(std::string_view text, std::string_view answer) {
  constexpr std::string_view kThought = "</think>";
  const size_t thought = answer.rfind(kThought);
  const size_t last = thought == std::string_view::npos ? 0 : thought + kThought.size();
  for (const size_t from : {size_t{0}, last}) {
    const std::string_view part = answer.substr(from);
    const size_t front = SpaceInFront(part);
    const size_t behind = front == part.size() ? 0 : SpaceBehind(part);
    for (size_t skipped = 0; skipped <= front; ++skipped) {
      const std::string_view rest = part.substr(skipped);
      const auto same = std::ranges::mismatch(rest, text).in1 - rest.begin();
      const auto length = static_cast<size_t>(same);
      if (length + behind < rest.size() || (length == 0 && !answer.empty())) continue;
      return ShownAnswer{from + skipped, length};
    }
  }
  return std::nullopt;
}

}  // namespace grin
