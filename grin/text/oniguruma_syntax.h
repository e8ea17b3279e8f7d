#pragma once
// Oniguruma's Ruby syntax in terms of PCRE2's.

#include <string>
#include <string_view>

namespace grin {

// The same expression for PCRE2 with UTF, UCP and MULTILINE: \w, \b, \h, \v, POSIX and property
// names, nested and intersected character classes, (?m), inline options and the quantifiers that
// differ are rewritten. Error (bad input) on what has no counterpart.
std::string TranslateOniguruma(std::string_view expression, std::string_view where);

}  // namespace grin
