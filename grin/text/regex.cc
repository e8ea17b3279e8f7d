#include "grin/text/regex.h"

// ICU has a UChar of its own, and POSIX a regex_t.
#define ONIG_ESCAPE_UCHAR_COLLISION 1
#define ONIG_ESCAPE_REGEX_T_COLLISION 1
#include <oniguruma.h>

#include <limits>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"
#include "grin/text/known_patterns.h"

namespace grin {
namespace {

class LiteralMatcher : public PatternMatcher {
 public:
  explicit LiteralMatcher(std::string literal) : literal_(std::move(literal)) {}

  bool Find(std::string_view text, size_t from, AlignedText::Match& match) const override {
    const size_t found = text.find(literal_, from);
    if (found == std::string_view::npos) return false;
    match = {found, found + literal_.size()};
    return true;
  }

 private:
  std::string literal_;
};

const OnigUChar* OnigurumaBytes(std::string_view text) {
  return reinterpret_cast<const OnigUChar*>(text.data());
}

std::string OnigurumaErrorText(int code, OnigErrorInfo* info) {
  OnigUChar buffer[ONIG_MAX_ERROR_MESSAGE_LEN + 1];
  const int length = info == nullptr ? onig_error_code_to_str(buffer, code)
                                     : onig_error_code_to_str(buffer, code, info);
  return std::string(reinterpret_cast<const char*>(buffer), static_cast<size_t>(length));
}

// Where Oniguruma leaves the ends of a match; each thread has its own.
struct OnigurumaRegion {
  OnigRegion* region = onig_region_new();

  OnigurumaRegion() = default;
  OnigurumaRegion(const OnigurumaRegion&) = delete;
  OnigurumaRegion& operator=(const OnigurumaRegion&) = delete;
  ~OnigurumaRegion() { onig_region_free(region, 1); }
  static OnigRegion* OfThisThread() {
    thread_local OnigurumaRegion space;
    return space.region;
  }
};

// The expression with [:punct:] spelled out inside its classes. Versions of Oniguruma before 6.9.9
// leave out the symbols that the reference's version counts there.
std::string WithPunctuationSpelledOut(std::string_view expression) {
  constexpr std::pair<std::string_view, std::string_view> kSpelled[] = {
      {"[:punct:]", R"(\p{P}\p{S})"}, {"[:^punct:]", R"([^\p{P}\p{S}])"}};
  std::string result;
  int depth = 0;  // of classes within classes
  for (size_t i = 0; i < expression.size();) {
    size_t length = expression[i] == '\\' && i + 1 < expression.size() ? 2 : 1;
    std::string_view written = expression.substr(i, length);
    for (const auto& [name, spelled] : kSpelled) {
      if (depth == 0 || !expression.substr(i).starts_with(name)) continue;
      length = name.size();
      written = spelled;
    }
    if (written == "[") ++depth;
    if (written == "]" && depth > 0) --depth;
    result += written;
    i += length;
  }
  return result;
}

// Compiled without options and in the default syntax, and searched as the `tokenizers` package
// does, with the library's default limit of 10 million steps back at one place of the text.
class OnigurumaMatcher : public PatternMatcher {
 public:
  OnigurumaMatcher(std::string_view expression, std::string_view where)
      : expression_(expression), where_(where) {
    static const int initialized = [] {
      OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
      return onig_initialize(encodings, 1);
    }();
    const std::string spelled = WithPunctuationSpelledOut(expression);
    OnigErrorInfo info;
    const int code =
        initialized != ONIG_NORMAL
            ? initialized
            : onig_new(&regex_, OnigurumaBytes(spelled), OnigurumaBytes(spelled) + spelled.size(),
                       ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
    if (code != ONIG_NORMAL) {
      BadInput("text", "{}: the regular expression '{}' cannot be used: {}", where_, expression_,
               OnigurumaErrorText(code, &info));
    }
  }
  OnigurumaMatcher(const OnigurumaMatcher&) = delete;
  OnigurumaMatcher& operator=(const OnigurumaMatcher&) = delete;
  ~OnigurumaMatcher() override { onig_free(regex_); }

  bool Find(std::string_view text, size_t from, AlignedText::Match& match) const override {
    if (text.size() > std::numeric_limits<int>::max()) {
      BadInput("text",
               "{}: the regular expression '{}' met a text of {} bytes, expected less than 2 GiB; "
               "split the text into records",
               where_, expression_, text.size());
    }
    OnigRegion* region = OnigurumaRegion::OfThisThread();
    const OnigUChar* end = OnigurumaBytes(text) + text.size();
    const int result = onig_search(regex_, OnigurumaBytes(text), end, OnigurumaBytes(text) + from,
                                   end, region, ONIG_OPTION_NONE);
    if (result == ONIG_MISMATCH) return false;
    if (result < 0) {
      BadInput("text", "{}: the regular expression '{}' failed on a text of {} bytes: {}", where_,
               expression_, text.size(), OnigurumaErrorText(result, nullptr));
    }
    match = {static_cast<size_t>(region->beg[0]), static_cast<size_t>(region->end[0])};
    return true;
  }

 private:
  std::string expression_;
  std::string where_;
  OnigRegex regex_ = nullptr;
};

// The text as the regular expression libraries should see it: characters that an older version of
// them may not know are replaced by older ones of the same category and size. The text is copied
// into `copy` only when it has such characters.
std::string_view WithStandIns(std::string_view text, std::string& copy) {
  for (size_t position = 0; position < text.size();) {
    // All characters with a stand-in have three bytes or four, but for some that begin with 0xcd.
    const auto byte = static_cast<unsigned char>(text[position]);
    if (byte < 0xe0 && byte != 0xcd) {
      ++position;
      continue;
    }
    const size_t start = position;
    const char32_t character = NextCharacter(text, position);
    const char32_t older = OlderStandIn(character);
    if (older == character) continue;
    if (copy.empty()) copy = text;
    std::string bytes;
    AppendUtf8(bytes, older);
    copy.replace(start, position - start, bytes);
  }
  return copy.empty() ? text : std::string_view(copy);
}

}  // namespace

Pattern Pattern::Literal(std::string text) {
  Pattern pattern;
  pattern.matcher_ = std::make_shared<LiteralMatcher>(std::move(text));
  return pattern;
}

Pattern Pattern::Expression(std::string_view expression, std::string_view where) {
  Pattern pattern;
  pattern.of_classes_ = true;
  pattern.matcher_ = KnownPatternMatcher(expression, where);
  if (pattern.matcher_ == nullptr) {
    pattern.matcher_ = std::make_shared<OnigurumaMatcher>(expression, where);
  }
  return pattern;
}

std::vector<AlignedText::Match> Pattern::FindAll(std::string_view text) const {
  std::vector<AlignedText::Match> matches;
  std::string copy;
  if (of_classes_) text = WithStandIns(text, copy);
  AlignedText::Match match;
  for (size_t from = 0; from <= text.size() && matcher_->Find(text, from, match);) {
    const bool repeats =
        match.end == match.begin && !matches.empty() && matches.back().end == match.end;
    if (!repeats) {
      matches.push_back(match);
      from = match.end;
    } else if (from < text.size()) {
      NextCharacter(text, from);
    } else {
      break;
    }
  }
  return matches;
}

}  // namespace grin
