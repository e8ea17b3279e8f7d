#pragma once
// Sets of characters in regular expressions: by name, by class ([a-z&&[^aeiou]]), as PCRE2 text.

#include <unicode/uniset.h>

#include <optional>
#include <string>
#include <string_view>

namespace grin {

// What goes between the brackets of a PCRE2 class for a property, POSIX or script name as
// Oniguruma knows it ("L", "Alpha", "Han", "White_Space"); nothing when the name is unknown.
std::optional<std::string> ClassTextOfProperty(std::string_view name, bool negated);

// The members of what ClassTextOfProperty gives for the name, not negated.
std::optional<icu::UnicodeSet> SetOfProperty(std::string_view name);

// The members as ranges for a PCRE2 class.
std::string ClassText(const icu::UnicodeSet& set);

}  // namespace grin
