#include "grin/text/character_set.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <cctype>
#include <utility>

namespace grin {
namespace {

// Names are compared without case, spaces, hyphens and underscores.
std::string Simplify(std::string_view name) {
  std::string simple;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    simple.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return simple;
}

// Oniguruma's POSIX classes; \w of Unicode is "word". The ranges beside Alphabetic and Lowercase
// came to those properties with Unicode 16 and 15.
struct PosixClass {
  std::string_view name;
  std::string_view class_text;   // for PCRE2; empty: only as ranges
  std::string_view set_pattern;  // for ICU
};
constexpr PosixClass kPosixClasses[] = {
    {"alnum", "\\p{Alphabetic}\\x{363}-\\x{36f}\\x{1dd3}-\\x{1de6}\\p{Nd}",
     "[[:Alphabetic:]\\u0363-\\u036f\\u1dd3-\\u1de6[:Nd:]]"},
    {"alpha", "\\p{Alphabetic}\\x{363}-\\x{36f}\\x{1dd3}-\\x{1de6}",
     "[[:Alphabetic:]\\u0363-\\u036f\\u1dd3-\\u1de6]"},
    {"blank", "\\p{Zs}\\t", "[[:Zs:]\\t]"},
    {"cntrl", "\\p{Cc}", "[:Cc:]"},
    {"digit", "\\p{Nd}", "[:Nd:]"},
    {"graph", "", "[[:^White_Space:]&[:^Cc:]&[:^Cn:]&[:^Cs:]]"},
    {"lower", "\\p{Lowercase}\\x{10fc}", "[[:Lowercase:]\\u10fc]"},
    {"print", "", "[[[:^White_Space:][:Zs:]]&[:^Cc:]&[:^Cn:]&[:^Cs:]]"},
    {"space", "\\s", "[:White_Space:]"},
    {"upper", "\\p{Uppercase}", "[:Uppercase:]"},
    {"xdigit", "0-9A-Fa-f", "[0-9A-Fa-f]"},
    {"word", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}", "[[:Alphabetic:][:M:][:Nd:][:Pc:]]"},
    // [[:punct:]] has symbols as well, \p{Punct} has not.
    {"[:punct:]", "\\p{P}\\p{S}", "[[:P:][:S:]]"},
};

const PosixClass* FindPosix(std::string_view simple) {
  for (const PosixClass& posix : kPosixClasses) {
    if (posix.name == simple) return &posix;
  }
  return nullptr;
}

// A property that PCRE2 and ICU both know, as text for each: {"\p{L}", "[:L:]"}.
std::optional<std::pair<std::string, std::string>> FindUnicode(const std::string& simple) {
  if (simple == "any") return std::pair<std::string, std::string>("p{Any}", "[:Any:]");
  if (simple == "assigned") return std::pair<std::string, std::string>("P{Cn}", "[:^Cn:]");
  const int32_t category = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, simple.c_str());
  if (category != UCHAR_INVALID_CODE) {
    const char* name =
        u_getPropertyValueName(UCHAR_GENERAL_CATEGORY_MASK, category, U_SHORT_PROPERTY_NAME);
    const std::string pcre = std::string_view(name) == "LC" ? "L&" : name;
    return std::pair(fmt::format("p{{{}}}", pcre), fmt::format("[:{}:]", name));
  }
  const int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, simple.c_str());
  if (script != UCHAR_INVALID_CODE) {
    const char* name = u_getPropertyValueName(UCHAR_SCRIPT, script, U_LONG_PROPERTY_NAME);
    return std::pair(fmt::format("p{{sc:{}}}", name), fmt::format("[:sc={}:]", name));
  }
  const UProperty property = u_getPropertyEnum(simple.c_str());
  if (property >= UCHAR_BINARY_START && property < UCHAR_BINARY_LIMIT) {
    const char* name = u_getPropertyName(property, U_LONG_PROPERTY_NAME);
    return std::pair(fmt::format("p{{{}}}", name), fmt::format("[:{}:]", name));
  }
  return std::nullopt;
}

icu::UnicodeSet SetOfPattern(std::string_view pattern) {
  UErrorCode status = U_ZERO_ERROR;
  return icu::UnicodeSet(icu::UnicodeString::fromUTF8(icu::StringPiece(
                             pattern.data(), static_cast<int32_t>(pattern.size()))),
                         status);
}

}  // namespace

std::optional<std::string> ClassTextOfProperty(std::string_view name, bool negated) {
  const std::string simple = Simplify(name);
  if (const PosixClass* posix = FindPosix(simple)) {
    if (!negated && !posix->class_text.empty()) return std::string(posix->class_text);
    icu::UnicodeSet set = SetOfPattern(posix->set_pattern);
    if (negated) set.complement();
    return ClassText(set);
  }
  if (const auto unicode = FindUnicode(simple)) {
    std::string text = unicode->first;
    if (negated) text[0] = text[0] == 'p' ? 'P' : 'p';
    return fmt::format("\\{}", text);
  }
  return std::nullopt;
}

std::optional<icu::UnicodeSet> SetOfProperty(std::string_view name) {
  const std::string simple = Simplify(name);
  if (const PosixClass* posix = FindPosix(simple)) return SetOfPattern(posix->set_pattern);
  if (const auto unicode = FindUnicode(simple)) return SetOfPattern(unicode->second);
  return std::nullopt;
}

std::string ClassText(const icu::UnicodeSet& set) {
  std::string text;
  const auto append = [&](UChar32 first, UChar32 last) {
    if (first <= last) text += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", first, last);
  };
  for (int32_t i = 0; i < set.getRangeCount(); ++i) {
    const UChar32 first = set.getRangeStart(i);
    const UChar32 last = set.getRangeEnd(i);
    // Surrogates are no characters, and PCRE2 refuses them.
    append(first, std::min(last, 0xd7ff));
    append(std::max(first, 0xe000), last);
  }
  return text;
}

}  // namespace grin
