#pragma once
// Python's methods of strings, over valid UTF-8. Lengths and positions count characters.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grin::jinja {

// str.isspace of one character.
bool IsSpace(char32_t character);

// Each character's bytes.
std::vector<std::string_view> Characters(std::string_view text);
int64_t CharacterCount(std::string_view text);

enum class Ends { kBoth, kLeft, kRight };
// strip, lstrip, rstrip: of white space, or of the characters in `*set`.
std::string_view Strip(std::string_view text, Ends ends, const std::string_view* set = nullptr);

std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Title(std::string_view text);       // str.title
std::string Capitalize(std::string_view text);  // str.capitalize
// isupper, islower: a cased character, and none of the other case.
bool IsUpper(std::string_view text);
bool IsLower(std::string_view text);
// True when there is a character and all are letters, digits, letters or digits, white space.
bool IsAlpha(std::string_view text);
bool IsDigit(std::string_view text);
bool IsAlnum(std::string_view text);
bool IsSpace(std::string_view text);
// False for what repr escapes.
bool IsPrintable(char32_t character);

// Byte position of `part` at or after `from`, in linear time; npos when there is none.
size_t FindPart(std::string_view text, std::string_view part, size_t from = 0);
int64_t CountParts(std::string_view text, std::string_view part);

// At most `most` times when it is not negative.
std::string ReplaceParts(std::string_view text, std::string_view from, std::string_view to,
                         int64_t most = -1);
std::vector<std::string_view> Split(std::string_view text, std::string_view separator,
                                    int64_t most = -1);
std::vector<std::string_view> SplitFromRight(std::string_view text, std::string_view separator,
                                             int64_t most = -1);
// At runs of white space.
std::vector<std::string_view> SplitWords(std::string_view text, int64_t most = -1);
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends = false);

}  // namespace grin::jinja
