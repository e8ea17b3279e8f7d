#include "grin/metric/porter.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace grin {
namespace {

bool IsVowelLetter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// A vowel, or a y behind a consonant, is no consonant; a y at the start is one.
bool IsConsonant(std::string_view word, size_t position) {
  bool flipped = false;
  for (; position > 0 && word[position] == 'y'; --position) flipped = !flipped;
  return IsVowelLetter(word[position]) == flipped;
}

// m of [C](VC)^m[V]: how often a consonant follows a vowel.
int Measure(std::string_view stem) {
  int measure = 0;
  bool vowel_before = false;
  for (size_t i = 0; i < stem.size(); ++i) {
    const bool vowel = stem[i] == 'y' ? i > 0 && !vowel_before : IsVowelLetter(stem[i]);
    measure += vowel_before && !vowel;
    vowel_before = vowel;
  }
  return measure;
}

bool HasVowel(std::string_view stem) {
  for (size_t i = 0; i < stem.size(); ++i) {
    if (!IsConsonant(stem, i)) return true;
  }
  return false;
}

bool EndsInDoubleConsonant(std::string_view word) {
  const size_t size = word.size();
  return size >= 2 && word[size - 1] == word[size - 2] && IsConsonant(word, size - 1);
}

// Consonant, vowel, consonant other than w, x, y ("hop"), or a word of vowel and consonant ("us").
bool EndsInShortSyllable(std::string_view word) {
  const size_t size = word.size();
  if (size == 2) return !IsConsonant(word, 0) && IsConsonant(word, 1);
  if (size < 3) return false;
  const char last = word[size - 1];
  return IsConsonant(word, size - 3) && !IsConsonant(word, size - 2) &&
         IsConsonant(word, size - 1) && last != 'w' && last != 'x' && last != 'y';
}

// What is left of `word` in front of `suffix`, which it ends with.
std::string_view Before(std::string_view word, std::string_view suffix) {
  return word.substr(0, word.size() - suffix.size());
}

void ReplaceEnd(std::string& word, size_t count, std::string_view replacement) {
  word.replace(word.size() - count, count, replacement);
}

struct Rule {
  std::string_view suffix;
  std::string_view replacement;
};

// The first rule whose suffix the word has is the only one that may apply; it does where the stem's
// measure is above `measure`.
template <size_t kCount>
void ApplyFirst(std::string& word, const Rule (&rules)[kCount], int measure) {
  for (const auto& [suffix, replacement] : rules) {
    if (!word.ends_with(suffix)) continue;
    if (Measure(Before(word, suffix)) > measure) ReplaceEnd(word, suffix.size(), replacement);
    return;
  }
}

// Plurals.
void Step1a(std::string& word) {
  if (word.ends_with("sses")) {
    ReplaceEnd(word, 2, "");
  } else if (word.ends_with("ies")) {
    ReplaceEnd(word, word.size() == 4 ? 1 : 2, "");
  } else if (word.ends_with('s') && !word.ends_with("ss")) {
    word.pop_back();
  }
}

// Past tenses and -ing.
void Step1b(std::string& word) {
  if (word.ends_with("ied")) return ReplaceEnd(word, word.size() == 4 ? 1 : 2, "");
  if (word.ends_with("eed")) {
    if (Measure(Before(word, "eed")) > 0) word.pop_back();
    return;
  }
  const std::string_view suffix = word.ends_with("ed") ? "ed" : word.ends_with("ing") ? "ing" : "";
  if (suffix.empty() || !HasVowel(Before(word, suffix))) return;
  ReplaceEnd(word, suffix.size(), "");
  const char last = word.back();
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word += 'e';
  } else if (EndsInDoubleConsonant(word)) {
    if (last != 'l' && last != 's' && last != 'z') word.pop_back();
  } else if (Measure(word) == 1 && EndsInShortSyllable(word)) {
    word += 'e';
  }
}

void Step1c(std::string& word) {
  if (word.size() > 2 && word.ends_with('y') && IsConsonant(word, word.size() - 2)) {
    word.back() = 'i';
  }
}

// Double suffixes become single ones.
void Step2(std::string& word) {
  static constexpr Rule kRules[] = {
      {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
      {"izer", "ize"},    {"bli", "ble"},     {"entli", "ent"},   {"eli", "e"},
      {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},
      {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"},
      {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"}};
  if (word.ends_with("alli") && Measure(Before(word, "alli")) > 0) ReplaceEnd(word, 2, "");
  if (word.ends_with("logi")) {  // the l counts for the stem: geo-logi
    if (Measure(Before(word, "ogi")) > 0) word.pop_back();
    return;
  }
  ApplyFirst(word, kRules, 0);
}

void Step3(std::string& word) {
  static constexpr Rule kRules[] = {{"icate", "ic"}, {"ative", ""},  {"alize", "al"},
                                    {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""},
                                    {"ness", ""}};
  ApplyFirst(word, kRules, 0);
}

// Single suffixes go.
void Step4(std::string& word) {
  static constexpr Rule kRules[] = {
      {"al", ""},   {"ance", ""}, {"ence", ""},  {"er", ""},   {"ic", ""},  {"able", ""},
      {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
      {"ism", ""},  {"ate", ""},  {"iti", ""},   {"ous", ""},  {"ive", ""}, {"ize", ""}};
  if (word.ends_with("ion")) {  // the s or t counts for the stem
    const std::string_view stem = Before(word, "ion");
    if (Measure(stem) > 1 && (stem.ends_with('s') || stem.ends_with('t'))) ReplaceEnd(word, 3, "");
    return;
  }
  ApplyFirst(word, kRules, 1);
}

void Step5(std::string& word) {
  if (word.ends_with('e')) {
    const std::string_view stem = Before(word, "e");
    const int measure = Measure(stem);
    if (measure > 1 || (measure == 1 && !EndsInShortSyllable(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && Measure(Before(word, "l")) > 1) word.pop_back();
}

}  // namespace

std::string PorterStem(std::string word) {
  static constexpr Rule kIrregular[] = {
      {"sky", "sky"},        {"skies", "sky"},        {"dying", "die"},
      {"lying", "lie"},      {"tying", "tie"},        {"news", "news"},
      {"innings", "inning"}, {"inning", "inning"},    {"outings", "outing"},
      {"outing", "outing"},  {"cannings", "canning"}, {"canning", "canning"},
      {"howe", "howe"},      {"proceed", "proceed"},  {"exceed", "exceed"},
      {"succeed", "succeed"}};
  const auto* const irregular = std::ranges::find(kIrregular, word, &Rule::suffix);
  if (irregular != std::end(kIrregular)) return std::string(irregular->replacement);
  if (word.size() <= 2) return word;
  for (void (*const step)(std::string&) : {Step1a, Step1b, Step1c, Step2, Step3, Step4, Step5}) {
    step(word);
  }
  return word;
}

}  // namespace grin
