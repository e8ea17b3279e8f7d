#include "grin/jinja/lexer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "grin/base/utf8.h"
#include "grin/jinja/rendering.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

constexpr std::array<std::string_view, 27> kOperators = {
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]",
    "(",  ")",  "{",  "}",  ">",  "<",  "=", ".", ":", "|", ",", ";", "!"};

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

// All line ends become \n; one at the very end is dropped.
std::string NormalizeLines(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view name)
      : text_(NormalizeLines(source)), name_(name) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) Outside();
    Add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void Fail(std::string_view message) const { FailAt(name_, line_, message); }

  bool Looking(std::string_view at) const {
    return std::string_view(text_).substr(at_, at.size()) == at;
  }

  void Add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  // Moves to `end`, counting lines.
  void Advance(size_t end) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<ptrdiff_t>(at_),
                                         text_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  void SkipSpace() {
    const std::string_view rest = std::string_view(text_).substr(at_);
    Advance(text_.size() - Strip(rest, Ends::kLeft).size());
  }

  char Sign() const {
    return at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+') ? text_[at_] : ' ';
  }

  // Where the next tag begins; kNone when there is none.
  size_t NextTag(size_t from) const {
    for (size_t at = text_.find('{', from); at != kNone; at = text_.find('{', at + 1)) {
      const char next = at + 1 < text_.size() ? text_[at + 1] : ' ';
      if (next == '%' || next == '{' || next == '#') return at;
    }
    return kNone;
  }

  // What stays of the text before a tag with this sign.
  std::string_view BeforeTag(std::string_view text, char sign, bool block) const {
    if (sign == '-') return Strip(text, Ends::kRight);
    if (sign == '+' || !block) return text;
    const size_t newline = text.rfind('\n');
    const size_t line = newline == kNone ? 0 : newline + 1;
    const std::string_view last = text.substr(line);
    if ((newline != kNone || at_line_start_) && IsSpace(last)) return text.substr(0, line);
    return text;
  }

  void Outside() {
    const size_t begin = at_;
    const size_t tag = NextTag(at_);
    if (tag == kNone) {
      Add(TokenKind::kText, text_.substr(begin));
      Advance(text_.size());
      return;
    }
    const char opening = text_[tag + 1];
    const char sign = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
    const std::string_view before =
        BeforeTag(std::string_view(text_).substr(begin, tag - begin), sign, opening != '{');
    if (!before.empty()) Add(TokenKind::kText, std::string(before));
    Advance(tag + 2);
    if (Sign() != ' ') Advance(at_ + 1);
    if (opening == '#') {
      Comment();
    } else if (opening == '{') {
      Add(TokenKind::kPrintBegin, "{{");
      Inside("}}", TokenKind::kPrintEnd);
    } else if (!Raw()) {
      Add(TokenKind::kBlockBegin, "{%");
      Inside("%}", TokenKind::kBlockEnd);
    }
    at_line_start_ = text_[at_ - 1] == '\n';
  }

  // Behind the end of a tag: -%} takes the white space that follows, %} one line end.
  void AfterTag(char sign, bool block) {
    if (sign == '-') {
      SkipSpace();
    } else if (block && sign != '+' && at_ < text_.size() && text_[at_] == '\n') {
      Advance(at_ + 1);
    }
  }

  void Comment() {
    size_t end = text_.find("#}", at_);
    if (end == kNone) Fail("a comment {# is not closed by #}");
    const char last = end > at_ ? text_[end - 1] : ' ';
    Advance(end + 2);
    AfterTag(last, true);
  }

  // {% raw %} ... {% endraw %}, behind its "{%". False, and nothing read, for another block.
  bool Raw() {
    const size_t start = at_;
    const int line = line_;
    const auto tag = [&](std::string_view word, char& sign) {
      SkipSpace();
      if (!Looking(word)) return false;
      Advance(at_ + word.size());
      SkipSpace();
      sign = Sign();
      if (sign != ' ') Advance(at_ + 1);
      if (!Looking("%}")) return false;
      Advance(at_ + 2);
      return true;
    };
    char sign = ' ';
    if (!tag("raw", sign) || sign == '+') {
      at_ = start;
      line_ = line;
      return false;
    }
    if (sign == '-') SkipSpace();
    const size_t body = at_;
    at_line_start_ = body > 0 && text_[body - 1] == '\n';
    for (size_t end = text_.find("{%", body); end != kNone; end = text_.find("{%", end + 2)) {
      Advance(end + 2);
      const char opening = Sign();
      if (opening != ' ') Advance(at_ + 1);
      if (!tag("endraw", sign)) continue;
      Add(TokenKind::kText,
          std::string(BeforeTag(std::string_view(text_).substr(body, end - body), opening, true)));
      AfterTag(sign, true);
      return true;
    }
    Fail("{% raw %} is not closed by {% endraw %}");
  }

  // The expressions of a tag up to its `end`.
  void Inside(std::string_view end, TokenKind end_kind) {
    const bool block = end_kind == TokenKind::kBlockEnd;
    const int first_line = line_;
    std::string open;  // the closing brackets that are due
    for (;;) {
      SkipSpace();
      if (at_ >= text_.size()) {
        FailAt(name_, first_line, fmt::format("the tag is not closed by {}", end));
      }
      if (open.empty()) {
        const char sign = Sign();
        const size_t skip = sign == '-' || (block && sign == '+') ? 1 : 0;
        if (std::string_view(text_).substr(at_ + skip, 2) == end) {
          Add(end_kind, std::string(end));
          Advance(at_ + skip + 2);
          AfterTag(skip ? sign : ' ', block);
          return;
        }
      }
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        String(c);
      } else if (IsAsciiDigit(c)) {
        Number();
      } else if (!Name()) {
        Operator(open);
      }
    }
  }

  bool Name() {
    size_t end = at_;
    while (end < text_.size()) {
      size_t next = end;
      const auto c = static_cast<UChar32>(NextCharacter(text_, next));
      if (!u_hasBinaryProperty(c, UCHAR_XID_CONTINUE)) break;
      end = next;
    }
    if (end == at_) return false;
    Add(TokenKind::kName, text_.substr(at_, end - at_));
    Advance(end);
    return true;
  }

  void Operator(std::string& open) {
    for (std::string_view known : kOperators) {
      if (!Looking(known)) continue;
      const char c = known[0];
      if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
      if (c == ')' || c == ']' || c == '}') {
        if (open.empty() || open.back() != c) Fail(fmt::format("unexpected '{}'", c));
        open.pop_back();
      }
      Add(TokenKind::kOperator, std::string(known));
      Advance(at_ + known.size());
      return;
    }
    size_t end = at_;
    NextCharacter(text_, end);
    Fail(fmt::format("unexpected character '{}'", text_.substr(at_, end - at_)));
  }

  // Digits with single underscores between them, from `at`; where they end.
  size_t Digits(size_t at) const {
    while (at < text_.size() &&
           (IsAsciiDigit(text_[at]) ||
            (text_[at] == '_' && at + 1 < text_.size() && IsAsciiDigit(text_[at + 1])))) {
      ++at;
    }
    return at;
  }

  void Number() {
    const auto digit_at = [&](size_t at) { return at < text_.size() && IsAsciiDigit(text_[at]); };
    int base = 10;
    if (text_[at_] == '0' && at_ + 1 < text_.size()) {
      const char letter = static_cast<char>(text_[at_ + 1] | 0x20);
      base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    }
    size_t end = Digits(at_);
    bool is_float = false;
    if (base != 10) {
      for (end = at_ + 2; end < text_.size() && (isxdigit(text_[end]) || text_[end] == '_');) ++end;
    } else {
      const bool member = at_ > 0 && text_[at_ - 1] == '.';  // pair.0.name
      if (!member && end < text_.size() && text_[end] == '.' && digit_at(end + 1)) {
        is_float = true;
        end = Digits(end + 1);
      }
      if (end < text_.size() && (text_[end] | 0x20) == 'e') {
        const size_t sign =
            end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-');
        if (digit_at(end + 1 + sign)) {
          is_float = true;
          end = Digits(end + 1 + sign);
        }
      }
    }
    std::string digits = text_.substr(at_, end - at_);
    std::erase(digits, '_');
    Token token{is_float ? TokenKind::kFloat : TokenKind::kInteger, line_, digits};
    const char* first = digits.data() + (base == 10 ? 0 : 2);
    const char* last = digits.data() + digits.size();
    const auto read = is_float ? std::from_chars(first, last, token.number)
                               : std::from_chars(first, last, token.integer, base);
    if (is_float && read.ec == std::errc::result_out_of_range) {  // as Python reads 1e400
      const bool tiny = digits.find("e-") != kNone || digits.find("E-") != kNone;
      token.number = tiny ? 0 : std::numeric_limits<double>::infinity();
    } else if (read.ec != std::errc() || read.ptr != last) {
      Fail(fmt::format("'{}' is not a number that 64 bits can hold", digits));
    }
    tokens_.push_back(std::move(token));
    Advance(end);
  }

  void String(char quote) {
    const int line = line_;
    size_t at = at_ + 1;
    std::string value;
    while (at < text_.size() && text_[at] != quote) {
      if (text_[at] == '\\' && at + 1 < text_.size()) {
        at = Escape(at + 1, value);
      } else {
        value += text_[at++];
      }
    }
    if (at >= text_.size()) Fail(fmt::format("a string is not closed by {}", quote));
    tokens_.push_back({TokenKind::kString, line, std::move(value)});
    Advance(at + 1);
  }

  // The escape at `at`, behind its backslash; where it ends. An unknown one stays as it is.
  size_t Escape(size_t at, std::string& value) const {
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeaning = "\\'\"\a\b\f\n\r\t\v";
    const char c = text_[at];
    if (const size_t letter = kLetters.find(c); letter != kNone) {
      value += kMeaning[letter];
      return at + 1;
    }
    if (c == '\n') return at + 1;
    uint32_t code = 0;
    const char* first = text_.data() + at;
    const char* end = text_.data() + text_.size();
    if (c >= '0' && c <= '7') {
      const auto read = std::from_chars(first, std::min(first + 3, end), code, 8);
      AppendUtf8(value, code);
      return static_cast<size_t>(read.ptr - text_.data());
    }
    const ptrdiff_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
      value += '\\';
      return at;
    }
    const auto read = std::from_chars(first + 1, std::min(first + 1 + digits, end), code, 16);
    if (read.ptr != first + 1 + digits || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      Fail(fmt::format("'\\{}' in a string needs {} hexadecimal digits of a character", c, digits));
    }
    AppendUtf8(value, code);
    return at + 1 + static_cast<size_t>(digits);
  }

  const std::string text_;
  std::string_view name_;
  size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source, std::string_view name) {
  return Lexer(source, name).Run();
}

}  // namespace grin::jinja
