#include "grin/text/oniguruma_syntax.h"

#include <fmt/format.h>
#include <unicode/uniset.h>

#include <cctype>
#include <cstring>
#include <optional>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/character_set.h"

namespace grin {
namespace {

// Outside brackets the numbers of Latin-1 are word characters as well.
constexpr std::string_view kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe";
constexpr int kDeepestNesting = 250;

// A character class under construction: as PCRE2 text while that is possible, and as a set where
// nesting or intersection make it necessary.
struct CharacterClass {
  std::string text;
  icu::UnicodeSet set;
  bool needs_set = false;
};

class Translator {
 public:
  Translator(std::string_view input, std::string_view where) : in_(input), where_(where) {}

  std::string Run() {
    groups_.push_back({});
    while (at_ < in_.size()) Element();
    if (groups_.size() != 1) Fail("a group is not closed");
    CloseOptions();
    return std::move(out_);
  }

 private:
  struct Group {
    size_t start = 0;  // of the group in out_
    int options = 0;   // (?i) inside it: groups of their own that end with it
  };

  [[noreturn]] void Fail(std::string_view what) const {
    BadInput("text", "{}: the regular expression '{}' cannot be used: {} (near byte {})", where_,
             in_, what, at_);
  }

  bool LookingAt(std::string_view text) const { return in_.substr(at_).starts_with(text); }

  char Take() {
    if (at_ >= in_.size()) Fail("it ends too early");
    return in_[at_++];
  }

  void Atom(std::string_view text) {
    atom_ = out_.size();
    out_ += text;
  }

  void Element() {
    const char c = in_[at_];
    switch (c) {
      case '\\':
        ++at_;
        return Escape();
      case '[':
        ++at_;
        return Class();
      case '(':
        ++at_;
        return Open();
      case ')':
        ++at_;
        return Close();
      case '|':
        ++at_;
        out_ += '|';
        return;
      case '*':
      case '+':
      case '?':
        return Quantifier(1);
      case '{':
        if (const size_t size = IntervalSize(); size > 0) return Quantifier(size);
        break;
    }
    const size_t start = at_;
    NextCharacter(in_, at_);
    Atom(in_.substr(start, at_ - start));
  }

  // The length of {n}, {n,}, {,m} or {n,m} here; 0 when the brace is literal.
  size_t IntervalSize() const {
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) return 0;
    const std::string_view inside = in_.substr(at_ + 1, end - at_ - 1);
    int commas = 0;
    int digits = 0;
    for (const char c : inside) {
      if (c == ',') {
        ++commas;
      } else if (std::isdigit(static_cast<unsigned char>(c))) {
        ++digits;
      } else {
        return 0;
      }
    }
    return commas <= 1 && digits > 0 ? inside.size() + 2 : 0;
  }

  void Quantifier(size_t size) {
    std::string text(in_.substr(at_, size));
    at_ += size;
    const bool interval = size > 1;
    if (interval && text[1] == ',') text.insert(1, "0");
    const bool exact = interval && text.find(',') == std::string::npos;
    const char next = at_ < in_.size() ? in_[at_] : '\0';
    out_ += text;
    // In Ruby an interval is not made possessive by +, nor an exact one lazy by ?: these repeat the
    // repetition.
    if ((interval && next == '+') || (exact && next == '?')) {
      out_.insert(atom_, "(?:");
      out_ += ')';
      return;
    }
    if (next == '?' || next == '+') {
      out_ += next;
      ++at_;
      // A further quantifier repeats all of this: (?:a+?)* and so on.
    }
    if (at_ < in_.size() &&
        (std::strchr("*+?", in_[at_]) != nullptr || (in_[at_] == '{' && IntervalSize() > 0))) {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
  }

  void Escape() {
    const size_t start = at_;
    const char c = Take();
    switch (c) {
      case 'w':
        return Atom(fmt::format("[{}]", kWord));
      case 'W':
        return Atom(fmt::format("[^{}]", kWord));
      case 'h':
        return Atom("[0-9A-Fa-f]");
      case 'H':
        return Atom("[^0-9A-Fa-f]");
      case 'v':
        return Atom("\\x0b");
      case 'O':
        return Atom("(?s:.)");
      case 'N':
        return Atom("[^\\n]");
      case 'b':
        return Atom(fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord));
      case 'B':
        return Atom(fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord));
      case 'p':
      case 'P': {
        const auto [name, negated] = PropertyName(c == 'P');
        const auto text = ClassTextOfProperty(name, negated);
        if (!text) Fail(fmt::format("the property '{}' is unknown", name));
        return Atom(fmt::format("[{}]", *text));
      }
      case 'u':
        return Atom(fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(HexDigits(4))));
      case 'g':
      case 'k':
      case 'x':
      case 'c':
      case 'C':
      case 'M':
        break;
      default:
        if (std::strchr("dDsSAzZGRXKntrfae", c) == nullptr &&
            std::isalpha(static_cast<unsigned char>(c))) {
          return Atom(std::string_view(&c, 1));  // an escape without meaning
        }
    }
    if (c == 'C' || c == 'M') Fail(fmt::format("\\{} is not supported", c));
    at_ = start;
    NextCharacter(in_, at_);
    std::string text = "\\";
    text += in_.substr(start, at_ - start);
    if (std::strchr("gkx", c) != nullptr && at_ < in_.size()) {
      // The braces or brackets of \x{...}, \k<...>, \g<...> belong to it, as do hex digits.
      const char opener = in_[at_];
      if (opener == '{' || opener == '<' || opener == '\'') {
        const size_t end = in_.find(opener == '{' ? '}' : opener == '<' ? '>' : '\'', at_ + 1);
        if (end == std::string_view::npos) Fail("a name is not closed");
        text += in_.substr(at_, end + 1 - at_);
        at_ = end + 1;
      } else {
        for (int i = 0; c == 'x' && i < 2 && at_ < in_.size() && IsHex(in_[at_]); ++i)
          text += in_[at_++];
      }
    } else {
      while (std::isdigit(static_cast<unsigned char>(c)) && at_ < in_.size() &&
             std::isdigit(static_cast<unsigned char>(in_[at_]))) {
        text += in_[at_++];
      }
    }
    Atom(text);
  }

  static bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

  char32_t HexDigits(int count) {
    char32_t value = 0;
    for (int i = 0; i < count; ++i) {
      const char c = Take();
      if (!IsHex(c)) Fail("expected a hexadecimal digit");
      value = value * 16 + static_cast<char32_t>(std::isdigit(static_cast<unsigned char>(c))
                                                     ? c - '0'
                                                     : (c | 0x20) - 'a' + 10);
    }
    return value;
  }

  struct Property {
    std::string_view name;
    bool negated;
  };

  // {Name}, {^Name} or a single letter.
  Property PropertyName(bool negated) {
    if (Take() != '{') return {in_.substr(at_ - 1, 1), negated};
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) Fail("a property name is not closed");
    std::string_view name = in_.substr(at_, end - at_);
    at_ = end + 1;
    if (name.starts_with('^')) {
      name.remove_prefix(1);
      negated = !negated;
    }
    return {name, negated};
  }

  void Open() {
    if (groups_.size() > kDeepestNesting) Fail("groups are nested too deep");
    const size_t start = out_.size();
    if (!LookingAt("?")) {
      out_ += '(';
      groups_.push_back({start});
      return;
    }
    if (LookingAt("?#")) {
      const size_t end = in_.find(')', at_);
      if (end == std::string_view::npos) Fail("a comment is not closed");
      at_ = end + 1;
      return;
    }
    if (LookingAt("?~")) Fail("(?~ is not supported");
    for (const std::string_view opener : {"?:", "?=", "?!", "?>", "?<=", "?<!"}) {
      if (!LookingAt(opener)) continue;
      out_ += '(';
      out_ += opener;
      at_ += opener.size();
      groups_.push_back({start});
      return;
    }
    if (LookingAt("?<") || LookingAt("?'")) {
      const size_t end = in_.find(in_[at_ + 1] == '<' ? '>' : '\'', at_ + 2);
      if (end == std::string_view::npos) Fail("a group name is not closed");
      out_ += '(';
      out_ += in_.substr(at_, end + 1 - at_);
      at_ = end + 1;
      groups_.push_back({start});
      return;
    }
    Options(start);
  }

  // (?imx-imx:...) and (?imx-imx), where m lets the dot match line feeds.
  void Options(size_t start) {
    ++at_;
    std::string text = "(?";
    while (true) {
      const char c = Take();
      if (c == ':' || c == ')') {
        out_ += text + ':';
        if (c == ':') {
          groups_.push_back({start});
        } else {
          ++groups_.back().options;  // to the end of the group around it, alternatives included
        }
        return;
      }
      if (c == 'm') {
        text += 's';
      } else if (c == 'i' || c == 'x' || c == '-') {
        text += c;
      } else {
        Fail(fmt::format("(?{} is not supported", c));
      }
    }
  }

  void CloseOptions() { out_.append(static_cast<size_t>(groups_.back().options), ')'); }

  void Close() {
    if (groups_.size() == 1) Fail("a group is closed that was not opened");
    CloseOptions();
    out_ += ')';
    atom_ = groups_.back().start;
    groups_.pop_back();
  }

  void Class() {
    const CharacterClass parsed = ParseClass(0);
    Atom(parsed.needs_set ? ClassOfSet(parsed.set) : parsed.text);
  }

  static std::string ClassOfSet(const icu::UnicodeSet& set) {
    return set.isEmpty() ? "(?!)" : fmt::format("[{}]", ClassText(set));
  }

  // Behind the '['; ends behind its ']'.
  CharacterClass ParseClass(int depth) {
    if (depth > kDeepestNesting) Fail("character classes are nested too deep");
    CharacterClass result;
    const bool negated = LookingAt("^");
    if (negated) ++at_;
    std::string text = negated ? "[^" : "[";
    icu::UnicodeSet all;  // of the part since the last &&
    std::optional<icu::UnicodeSet> intersection;
    for (bool first = true; first || !LookingAt("]"); first = false) {
      if (at_ >= in_.size()) Fail("a character class is not closed");
      if (LookingAt("&&")) {
        at_ += 2;
        if (intersection) all.retainAll(*intersection);
        intersection = all;
        all.clear();
        result.needs_set = true;
        continue;
      }
      if (LookingAt("[:")) {
        const size_t end = in_.find(":]", at_);
        if (end != std::string_view::npos) {
          std::string_view name = in_.substr(at_ + 2, end - at_ - 2);
          const bool inverted = name.starts_with('^');
          if (inverted) name.remove_prefix(1);
          at_ = end + 2;
          AddProperty(name == "punct" ? "[:punct:]" : name, inverted, text, all);
          continue;
        }
      }
      if (LookingAt("[")) {
        ++at_;
        const CharacterClass inner = ParseClass(depth + 1);
        all.addAll(inner.set);
        result.needs_set = true;
        continue;
      }
      if (LookingAt("\\") && AddClassEscape(text, all)) continue;
      AddRange(text, all);
    }
    ++at_;
    if (intersection) all.retainAll(*intersection);
    if (negated) all.complement();
    result.set = all;
    result.text = text + ']';
    return result;
  }

  void AddProperty(std::string_view name, bool negated, std::string& text, icu::UnicodeSet& all) {
    const auto class_text = ClassTextOfProperty(name, negated);
    auto set = SetOfProperty(name);
    if (!class_text || !set) Fail(fmt::format("the property '{}' is unknown", name));
    if (negated) set->complement();
    text += *class_text;
    all.addAll(*set);
  }

  // \w, \d, \p{..} and their like inside brackets. False when the escape is a single character.
  bool AddClassEscape(std::string& text, icu::UnicodeSet& all) {
    if (at_ + 1 >= in_.size()) Fail("it ends too early");
    const char c = in_[at_ + 1];
    const bool negated = std::isupper(static_cast<unsigned char>(c)) != 0;
    std::string_view name;
    switch (std::tolower(static_cast<unsigned char>(c))) {
      case 'w':
        name = "word";
        break;
      case 'd':
        name = "digit";
        break;
      case 's':
        name = "space";
        break;
      case 'h':
        name = "xdigit";
        break;
      case 'p': {
        at_ += 2;
        const Property property = PropertyName(negated);
        AddProperty(property.name, property.negated, text, all);
        return true;
      }
      default:
        return false;
    }
    at_ += 2;
    if (name == "space" && negated) {
      text += "\\S";  // short, and in the hot path of every tokenizer
      all.addAll(SetOfProperty("space")->complement());
      return true;
    }
    AddProperty(name, negated, text, all);
    return true;
  }

  void AddRange(std::string& text, icu::UnicodeSet& all) {
    const char32_t first = ClassCharacter();
    char32_t last = first;
    // A hyphen before the closing bracket, or before a class, is itself.
    if (LookingAt("-") && at_ + 1 < in_.size() && in_[at_ + 1] != ']' && in_[at_ + 1] != '[' &&
        !(in_[at_ + 1] == '\\' && at_ + 2 < in_.size() &&
          std::strchr("wWdDsShHpP", in_[at_ + 2]) != nullptr)) {
      ++at_;
      last = ClassCharacter();
      if (last < first) Fail("a range in a character class is empty");
    }
    text += first == last ? fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(first))
                          : fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<uint32_t>(first),
                                        static_cast<uint32_t>(last));
    all.add(static_cast<UChar32>(first), static_cast<UChar32>(last));
  }

  // One character inside brackets, escaped or not.
  char32_t ClassCharacter() {
    if (at_ >= in_.size()) Fail("a character class is not closed");
    if (in_[at_] != '\\') return NextCharacter(in_, at_);
    ++at_;
    if (at_ >= in_.size()) Fail("it ends too early");
    const char32_t c = NextCharacter(in_, at_);
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case 'a':
        return '\a';
      case 'e':
        return 0x1b;
      case 'b':
        return '\b';
      case 'u':
        return HexDigits(4);
      case 'x':
        break;
      default:
        if (c < '0' || c > '7') return c;
        return Number(8, 3, at_ - 1);
    }
    if (!LookingAt("{")) return Number(16, 2, at_);
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) Fail("\\x{ is not closed");
    const char32_t value = Number(16, 8, at_ + 1);
    if (at_ != end) Fail("expected hexadecimal digits in \\x{...}");
    ++at_;
    return value;
  }

  // Up to `most` digits from `start` on.
  char32_t Number(int base, int most, size_t start) {
    uint64_t value = 0;
    at_ = start;
    for (int i = 0; i < most && at_ < in_.size() && IsHex(in_[at_]); ++i, ++at_) {
      const char c = in_[at_];
      const int digit =
          std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10;
      if (digit >= base) break;
      value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
    }
    if (value > 0x10ffff) Fail("a character beyond U+10FFFF");
    return static_cast<char32_t>(value);
  }

  std::string_view in_;
  std::string_view where_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;  // where the last thing that a quantifier would repeat begins in out_
  std::vector<Group> groups_;
};

}  // namespace

std::string TranslateOniguruma(std::string_view expression, std::string_view where) {
  return Translator(expression, where).Run();
}

}  // namespace grin
