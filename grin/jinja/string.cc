#include "grin/jinja/string.h"

#include <string.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <limits>

#include "grin/base/utf8.h"

namespace grin::jinja {
namespace {

icu::UnicodeString ToIcu(std::string_view text) {
  return icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
}

std::string FromIcu(const icu::UnicodeString& text) {
  std::string result;
  return text.toUTF8String(result);
}

bool IsCased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }

// The title case of one character, all of it ("ŉ" has two).
std::string TitleOfOne(std::string_view character) {
  return FromIcu(
      ToIcu(character).toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_BREAK_ADJUSTMENT));
}

template <typename Predicate>
bool AllOf(std::string_view text, Predicate predicate) {
  for (size_t i = 0; i < text.size();) {
    if (!predicate(NextCharacter(text, i))) return false;
  }
  return !text.empty();
}

bool IsLineEnd(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

int64_t Limit(int64_t most) { return most < 0 ? std::numeric_limits<int64_t>::max() : most; }

}  // namespace

bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    NextCharacter(text, i);
    characters.push_back(text.substr(begin, i - begin));
  }
  return characters;
}

int64_t CharacterCount(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuationByte(c); });
}

std::string_view Strip(std::string_view text, Ends ends, const std::string_view* set) {
  const std::vector<std::string_view> listed = set ? Characters(*set) : decltype(listed){};
  const auto goes = [&](std::string_view character) {
    if (set) return std::find(listed.begin(), listed.end(), character) != listed.end();
    size_t position = 0;
    return IsSpace(NextCharacter(character, position));
  };
  while (ends != Ends::kRight && !text.empty()) {
    size_t end = 0;
    NextCharacter(text, end);
    if (!goes(text.substr(0, end))) break;
    text.remove_prefix(end);
  }
  while (ends != Ends::kLeft && !text.empty()) {
    size_t begin = text.size();
    PreviousCharacter(text, begin);
    if (!goes(text.substr(begin))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

std::string Upper(std::string_view text) {
  return FromIcu(ToIcu(text).toUpper(icu::Locale::getRoot()));
}

std::string Lower(std::string_view text) {
  return FromIcu(ToIcu(text).toLower(icu::Locale::getRoot()));
}

std::string Title(std::string_view text) {
  std::string result;
  bool in_word = false;
  for (std::string_view character : Characters(text)) {
    size_t position = 0;
    const bool cased = IsCased(NextCharacter(character, position));
    result += in_word ? Lower(character) : TitleOfOne(character);
    in_word = cased;
  }
  return result;
}

std::string Capitalize(std::string_view text) {
  if (text.empty()) return {};
  size_t first = 0;
  NextCharacter(text, first);
  const std::string lower = Lower(text);
  const size_t lower_first = Lower(text.substr(0, first)).size();
  return TitleOfOne(text.substr(0, first)) + lower.substr(lower_first);
}

bool IsUpper(std::string_view text) {
  bool cased = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<UChar32>(NextCharacter(text, i));
    if (u_isULowercase(c) || u_istitle(c)) return false;
    cased = cased || u_isUUppercase(c);
  }
  return cased;
}

bool IsLower(std::string_view text) {
  bool cased = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<UChar32>(NextCharacter(text, i));
    if (u_isUUppercase(c) || u_istitle(c)) return false;
    cased = cased || u_isULowercase(c);
  }
  return cased;
}

namespace {

bool IsNumeral(char32_t c) {
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

}  // namespace

bool IsAlpha(std::string_view text) {
  return AllOf(text, [](char32_t c) { return u_isalpha(static_cast<UChar32>(c)); });
}

bool IsDigit(std::string_view text) {
  return AllOf(text, [](char32_t c) {
    const int type = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE);
    return type == U_NT_DECIMAL || type == U_NT_DIGIT;
  });
}

bool IsAlnum(std::string_view text) {
  return AllOf(text, [](char32_t c) { return u_isalpha(static_cast<UChar32>(c)) || IsNumeral(c); });
}

bool IsSpace(std::string_view text) {
  return AllOf(text, [](char32_t c) { return IsSpace(c); });
}

bool IsPrintable(char32_t c) {
  constexpr uint32_t kEscaped =
      U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CO_MASK | U_GC_CN_MASK | U_GC_Z_MASK;
  return c == ' ' || (U_GET_GC_MASK(static_cast<UChar32>(c)) & kEscaped) == 0;
}

size_t FindPart(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const char* begin = text.data() + from;
  const void* found = memmem(begin, text.size() - from, part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data())
               : std::string_view::npos;
}

int64_t CountParts(std::string_view text, std::string_view part) {
  if (part.empty()) return CharacterCount(text) + 1;
  return static_cast<int64_t>(Split(text, part).size()) - 1;
}

std::string ReplaceParts(std::string_view text, std::string_view from, std::string_view to,
                         int64_t most) {
  std::string result;
  int64_t left = Limit(most);
  if (from.empty()) {  // before every character, and at the end
    for (std::string_view character : Characters(text)) {
      if (left-- > 0) result += to;
      result += character;
    }
    if (left > 0) result += to;
    return result;
  }
  const auto parts = Split(text, from, most);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) result += to;
    result += parts[i];
  }
  return result;
}

std::vector<std::string_view> Split(std::string_view text, std::string_view separator,
                                    int64_t most) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (int64_t left = Limit(most); left > 0; --left) {
    const size_t end = FindPart(text, separator, begin);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::string_view> SplitFromRight(std::string_view text, std::string_view separator,
                                             int64_t most) {
  std::vector<std::string_view> parts;
  for (int64_t left = Limit(most); left > 0; --left) {
    const size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitWords(std::string_view text, int64_t most) {
  std::vector<std::string_view> words;
  int64_t left = Limit(most);
  for (text = Strip(text, Ends::kLeft); !text.empty(); text = Strip(text, Ends::kLeft)) {
    if (left-- == 0) {
      words.push_back(text);
      break;
    }
    size_t end = 0;
    for (size_t next = 0; next < text.size(); end = next) {
      if (IsSpace(NextCharacter(text, next))) break;
    }
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0, next = 0; next < text.size();) {
    const size_t end = next;
    const char32_t c = NextCharacter(text, next);
    if (!IsLineEnd(c)) {
      if (next == text.size()) lines.push_back(text.substr(begin));
      continue;
    }
    if (c == '\r' && next < text.size() && text[next] == '\n') ++next;
    lines.push_back(text.substr(begin, (keep_ends ? next : end) - begin));
    begin = next;
  }
  return lines;
}

}  // namespace grin::jinja
