#include "grin/text/character_class.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <bitset>
#include <iterator>

namespace grin {
namespace {

struct StandInRange {
  char32_t first;
  char32_t last;
  char32_t stand_in;
};

// The characters of Unicode 15.0, 15.1 and 16.0, and one older character of the same category for
// each. In order. U+180E stands here because PCRE2 still counts it as white space; it is a format
// character like U+200B. Some older characters (U+0363, U+0C04, U+10FC, ...) stand here because
// they became Alphabetic or Lowercase in those versions. "Plain" marks are not Alphabetic, "plain"
// symbols no pictographs.
constexpr char32_t kUpper3 = 0x1e00, kLower3 = 0x1e01, kMark3 = 0x900, kSpacingMark3 = 0x903;
constexpr char32_t kPunctuation3 = 0x2020, kSymbol3 = 0x2100, kFormat3 = 0x200b;
constexpr char32_t kLetterMark2 = 0x64b, kLetterMark3 = 0x1de7, kPlainMark3 = 0x93c;
constexpr char32_t kLowerLetter3 = 0x1d2c, kLowerLetter = 0x10783, kModifier = 0x16b40;
constexpr char32_t kUpper = 0x10400, kLower = 0x10428, kLetter = 0x10300, kHan = 0x20000;
constexpr char32_t kMark4 = 0x11001, kPlainMark = 0x11046, kSpacingMark = 0x11000;
constexpr char32_t kPlainMc = 0x111c0, kDigit = 0x104a0, kNumber = 0x10107;
constexpr char32_t kPunctuation = 0x10100, kDash = 0x10ead, kMathSymbol = 0x1d6c1;
constexpr char32_t kSymbol = 0x1f300, kPictograph = 0x1f322, kPlainSymbol = 0x1d100;
constexpr char32_t kCyrillicUpper = 0xa640, kCyrillicLower = 0xa641, kFormat = 0x110bd;
constexpr char32_t kHiragana = 0x1b150, kKatakana = 0x1b164, kLatinLower = 0x1df00;
constexpr StandInRange kStandIns[] = {
    {0x363, 0x36f, kLetterMark2},     {0x897, 0x897, kMark3},
    {0xc04, 0xc04, kMark3},           {0xcf3, 0xcf3, kSpacingMark3},
    {0xece, 0xece, kPlainMark3},      {0xf82, 0xf83, kMark3},
    {0x10fc, 0x10fc, kLowerLetter3},  {0x180e, 0x180e, kFormat3},
    {0x1b4e, 0x1b4f, kPunctuation3},  {0x1b7f, 0x1b7f, kPunctuation3},
    {0x1c89, 0x1c89, kCyrillicUpper}, {0x1c8a, 0x1c8a, kCyrillicLower},
    {0x1dd3, 0x1de6, kLetterMark3},   {0x2427, 0x2429, kSymbol3},
    {0x2ffc, 0x2fff, kSymbol3},       {0x31e4, 0x31e5, kSymbol3},
    {0x31ef, 0x31ef, kSymbol3},       {0xa7cb, 0xa7cc, kUpper3},
    {0xa7cd, 0xa7cd, kLower3},        {0xa7da, 0xa7da, kUpper3},
    {0xa7db, 0xa7db, kLower3},        {0xa7dc, 0xa7dc, kUpper3},
    {0xa7f2, 0xa7f4, kLowerLetter3},  {0xab69, 0xab69, kLowerLetter3},
    {0x105c0, 0x105f3, kLetter},      {0x10d40, 0x10d49, kDigit},
    {0x10d4a, 0x10d4d, kLetter},      {0x10d4e, 0x10d4e, kModifier},
    {0x10d4f, 0x10d4f, kLetter},      {0x10d50, 0x10d65, kUpper},
    {0x10d69, 0x10d69, kMark4},       {0x10d6a, 0x10d6d, kPlainMark},
    {0x10d6e, 0x10d6e, kDash},        {0x10d6f, 0x10d6f, kModifier},
    {0x10d70, 0x10d85, kLower},       {0x10d8e, 0x10d8f, kMathSymbol},
    {0x10ec2, 0x10ec4, kLetter},      {0x10efc, 0x10efc, kMark4},
    {0x10efd, 0x10eff, kPlainMark},   {0x11080, 0x11081, kMark4},
    {0x1123f, 0x11240, kLetter},      {0x11241, 0x11241, kMark4},
    {0x11380, 0x11389, kLetter},      {0x1138b, 0x1138b, kLetter},
    {0x1138e, 0x1138e, kLetter},      {0x11390, 0x113b5, kLetter},
    {0x113b7, 0x113b7, kLetter},      {0x113b8, 0x113ba, kSpacingMark},
    {0x113bb, 0x113c0, kMark4},       {0x113c2, 0x113c2, kSpacingMark},
    {0x113c5, 0x113c5, kSpacingMark}, {0x113c7, 0x113ca, kSpacingMark},
    {0x113cc, 0x113cd, kSpacingMark}, {0x113ce, 0x113ce, kPlainMark},
    {0x113cf, 0x113cf, kPlainMc},     {0x113d0, 0x113d0, kPlainMark},
    {0x113d1, 0x113d1, kLetter},      {0x113d2, 0x113d2, kPlainMark},
    {0x113d3, 0x113d3, kLetter},      {0x113d4, 0x113d5, kPunctuation},
    {0x113d7, 0x113d8, kPunctuation}, {0x113e1, 0x113e2, kPlainMark},
    {0x116d0, 0x116e3, kDigit},       {0x11b00, 0x11b09, kPunctuation},
    {0x11bc0, 0x11be0, kLetter},      {0x11be1, 0x11be1, kPunctuation},
    {0x11bf0, 0x11bf9, kDigit},       {0x11f00, 0x11f01, kMark4},
    {0x11f02, 0x11f02, kLetter},      {0x11f03, 0x11f03, kSpacingMark},
    {0x11f04, 0x11f10, kLetter},      {0x11f12, 0x11f33, kLetter},
    {0x11f34, 0x11f35, kSpacingMark}, {0x11f36, 0x11f3a, kMark4},
    {0x11f3e, 0x11f3f, kSpacingMark}, {0x11f40, 0x11f40, kMark4},
    {0x11f41, 0x11f41, kPlainMc},     {0x11f42, 0x11f42, kPlainMark},
    {0x11f43, 0x11f4f, kPunctuation}, {0x11f50, 0x11f59, kDigit},
    {0x11f5a, 0x11f5a, kPlainMark},   {0x1342f, 0x1342f, kLetter},
    {0x13439, 0x1343f, kFormat},      {0x13440, 0x13440, kPlainMark},
    {0x13441, 0x13446, kLetter},      {0x13447, 0x13455, kPlainMark},
    {0x13460, 0x143fa, kLetter},      {0x16100, 0x1611d, kLetter},
    {0x1611e, 0x16129, kMark4},       {0x1612a, 0x1612c, kSpacingMark},
    {0x1612d, 0x1612e, kMark4},       {0x1612f, 0x1612f, kPlainMark},
    {0x16130, 0x16139, kDigit},       {0x16d40, 0x16d42, kModifier},
    {0x16d43, 0x16d6a, kLetter},      {0x16d6b, 0x16d6c, kModifier},
    {0x16d6d, 0x16d6f, kPunctuation}, {0x16d70, 0x16d79, kDigit},
    {0x18cff, 0x18cff, kLetter},      {0x1b132, 0x1b132, kHiragana},
    {0x1b155, 0x1b155, kKatakana},    {0x1cc00, 0x1ccef, kPlainSymbol},
    {0x1ccf0, 0x1ccf9, kDigit},       {0x1cd00, 0x1ceb3, kPlainSymbol},
    {0x1d2c0, 0x1d2d3, kNumber},      {0x1df25, 0x1df2a, kLatinLower},
    {0x1e030, 0x1e06d, kLowerLetter}, {0x1e08f, 0x1e08f, kMark4},
    {0x1e4d0, 0x1e4ea, kLetter},      {0x1e4eb, 0x1e4eb, kModifier},
    {0x1e4ec, 0x1e4ef, kPlainMark},   {0x1e4f0, 0x1e4f9, kDigit},
    {0x1e5d0, 0x1e5ed, kLetter},      {0x1e5ee, 0x1e5ef, kPlainMark},
    {0x1e5f0, 0x1e5f0, kLetter},      {0x1e5f1, 0x1e5fa, kDigit},
    {0x1e5ff, 0x1e5ff, kPunctuation}, {0x1f6dc, 0x1f6dc, kSymbol},
    {0x1f774, 0x1f776, kPictograph},  {0x1f77b, 0x1f77f, kPictograph},
    {0x1f7d9, 0x1f7d9, kPictograph},  {0x1f8b2, 0x1f8bb, kPictograph},
    {0x1f8c0, 0x1f8c1, kPictograph},  {0x1fa75, 0x1fa77, kSymbol},
    {0x1fa87, 0x1fa89, kSymbol},      {0x1fa8f, 0x1fa8f, kSymbol},
    {0x1faad, 0x1faaf, kSymbol},      {0x1fabb, 0x1fabf, kSymbol},
    {0x1fac6, 0x1fac6, kSymbol},      {0x1face, 0x1facf, kSymbol},
    {0x1fada, 0x1fadc, kSymbol},      {0x1fadf, 0x1fadf, kSymbol},
    {0x1fae8, 0x1fae9, kSymbol},      {0x1faf7, 0x1faf8, kSymbol},
    {0x1fbcb, 0x1fbef, kPlainSymbol}, {0x2b739, 0x2b739, kHan},
    {0x2ebf0, 0x2ee5d, kHan},         {0x31350, 0x323af, kHan},
};

const StandInRange* FindStandIn(char32_t character) {
  // Most texts meet no such character; one bit per 256 characters says so at once.
  static const auto* const kBlocks = [] {
    auto* blocks = new std::bitset<0x1100>;
    for (const auto& range : kStandIns) {
      for (char32_t block = range.first >> 8; block <= range.last >> 8; ++block) blocks->set(block);
    }
    return blocks;
  }();
  if (!kBlocks->test(character >> 8)) return nullptr;
  const auto* found = std::upper_bound(
      std::begin(kStandIns), std::end(kStandIns), character,
      [](char32_t value, const StandInRange& range) { return value < range.first; });
  if (found == std::begin(kStandIns) || character > (--found)->last) return nullptr;
  return found;
}

uint32_t Category(char32_t character) { return U_GET_GC_MASK(OlderStandIn(character)); }

// Whether a character was in the given version of Unicode.
bool IsOfAge(char32_t character, int major) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(character), age);
  return age[0] != 0 && age[0] <= major;
}

// Capitals of Unicode 16 and 17 that ICU may not know yet.
struct CaseRange {
  char32_t first;
  char32_t last;
  char32_t lower;  // of the first; the others follow
};
constexpr CaseRange kNewCapitals[] = {
    {0x1c89, 0x1c89, 0x1c8a},    {0xa7cb, 0xa7cb, 0x264},  {0xa7cc, 0xa7cc, 0xa7cd},
    {0xa7ce, 0xa7ce, 0xa7cf},    {0xa7d2, 0xa7d2, 0xa7d3}, {0xa7d4, 0xa7d4, 0xa7d5},
    {0xa7da, 0xa7da, 0xa7db},    {0xa7dc, 0xa7dc, 0x19b},  {0x10d50, 0x10d65, 0x10d70},
    {0x16ea0, 0x16eb8, 0x16ebb},
};

}  // namespace

char32_t OlderStandIn(char32_t character) {
  const StandInRange* range = FindStandIn(character);
  return range == nullptr ? character : range->stand_in;
}

bool IsWhitespace(char32_t character) {
  if (character < 0x80) return character == ' ' || (character >= 9 && character <= 13);
  return u_isUWhiteSpace(static_cast<UChar32>(character));
}

bool IsNumeric(char32_t character) {
  if (character < 0x80) return character >= '0' && character <= '9';
  if (Category(character) & (U_GC_ND_MASK | U_GC_NL_MASK | U_GC_NO_MASK)) return true;
  return (character >= 0x11de0 && character <= 0x11de9) ||  // Unicode 17
         (character >= 0x16ff4 && character <= 0x16ff6);
}

bool IsWordCharacter(char32_t character) {
  const auto older = static_cast<UChar32>(OlderStandIn(character));
  return (U_GET_GC_MASK(older) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
         u_hasBinaryProperty(older, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(older, UCHAR_JOIN_CONTROL);
}

bool IsPunctuation(char32_t character) {
  if (character < 0x80)
    return u_ispunct(static_cast<UChar32>(character)) || character == '$' || character == '+' ||
           character == '<' || character == '=' || character == '>' || character == '^' ||
           character == '`' || character == '|' || character == '~';
  if (character == 0x166d || character == 0x111c9) return true;  // until Unicode 12 and 11
  return (Category(character) & U_GC_P_MASK) != 0 && IsOfAge(character, 8);
}

bool IsCombiningMark(char32_t character) {
  if (character < 0x300 || character == 0x111c9) return false;
  if (character == 0x1cf2 || character == 0x1cf3) return true;  // until Unicode 12
  return (Category(character) & U_GC_M_MASK) != 0 && IsOfAge(character, 9);
}

bool IsNonspacingMark(char32_t character) {
  if (character < 0x300 || character == 0x1885 || character == 0x1886 || character == 0xa9bd ||
      character == 0x111c9) {
    return false;
  }
  if (character == 0x1734) return true;  // until Unicode 14
  return (Category(character) & U_GC_MN_MASK) != 0 && IsOfAge(character, 8);
}

bool IsControl(char32_t character) {
  if (character == '\t' || character == '\n' || character == '\r') return false;
  const uint32_t category = Category(character);
  if (category & (U_GC_CC_MASK | U_GC_CO_MASK)) return true;
  return (category & U_GC_CF_MASK) != 0 && IsOfAge(character, 8);
}

LowerCase ToLowerCase(char32_t character) {
  if (character == 0x130) return {'i', 0x307};
  for (const auto& [first, last, lower] : kNewCapitals) {
    if (character >= first && character <= last) return {lower + (character - first), 0};
  }
  return {static_cast<char32_t>(u_tolower(static_cast<UChar32>(character))), 0};
}

}  // namespace grin
