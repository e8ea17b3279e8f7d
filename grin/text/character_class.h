#pragma once
// Properties of characters, each by the version of Unicode that the `tokenizers` package uses for
// it; ids would differ on the characters that changed or came later.

namespace grin {

// White_Space.
bool IsWhitespace(char32_t character);
// Categories Nd, Nl, No.
bool IsNumeric(char32_t character);
// What \w matches: letters, marks, decimal digits, connectors, joiners.
bool IsWordCharacter(char32_t character);
// ASCII punctuation and symbols, and category P of Unicode 8.
bool IsPunctuation(char32_t character);
// Category M of Unicode 9, which StripAccents removes.
bool IsCombiningMark(char32_t character);
// Category Mn of Unicode 8, which the BERT normaliser removes.
bool IsNonspacingMark(char32_t character);
// Categories Cc, Cf and Co of Unicode 8, but not tab, line feed and carriage return.
bool IsControl(char32_t character);

// Lower case of one character: one or two characters.
struct LowerCase {
  char32_t first;
  char32_t second;  // 0 when there is none
};
LowerCase ToLowerCase(char32_t character);

// For a character that Unicode 15 or 16 added or gave a property (Alphabetic, Lowercase): a character
// of the same category, width in UTF-8 and properties that every supported version of PCRE2, Oniguruma
// and ICU knows. The character itself for all others.
char32_t OlderStandIn(char32_t character);

}  // namespace grin
