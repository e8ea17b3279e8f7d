#include "grin/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"
#include "grin/text/oniguruma_syntax.h"

namespace grin {
namespace {

std::string ErrorText(int code) {
  char buffer[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(buffer), sizeof buffer);
  return buffer;
}

// Scratch space for one match at a time, per thread.
struct MatchSpace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 64 << 20, nullptr);

  MatchSpace() { pcre2_jit_stack_assign(context, nullptr, stack); }
  ~MatchSpace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  static MatchSpace& OfThisThread() {
    thread_local MatchSpace space;
    return space;
  }
};

// The text as PCRE2 should see it: characters that it may not know yet by older ones of the same
// category and size. Copies only when there are any.
std::string_view WithStandIns(std::string_view text, std::string& copy) {
  for (size_t position = 0; position < text.size();) {
    if (static_cast<unsigned char>(text[position]) < 0xe0) {
      ++position;  // all stand-ins have three bytes or four
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

struct Pattern::Compiled {
  std::string expression;
  std::string where;
  pcre2_code* code = nullptr;

  ~Compiled() { pcre2_code_free(code); }
};

Pattern Pattern::Literal(std::string text) {
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

Pattern Pattern::Expression(std::string_view expression, std::string_view where) {
  auto compiled = std::make_shared<Compiled>();
  compiled->expression = expression;
  compiled->where = where;
  const std::string translated = TranslateOniguruma(expression, where);
  int code = 0;
  size_t offset = 0;
  // In Ruby's syntax ^ and $ always match at lines.
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                 &code, &offset, nullptr);
  if (compiled->code == nullptr) {
    BadInput("text", "{}: the regular expression '{}' cannot be used: {} (at byte {} of '{}')",
             where, expression, ErrorText(code), offset, translated);
  }
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);  // without it matching is only slower
  Pattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool Pattern::Find(std::string_view text, size_t from, AlignedText::Match& match) const {
  if (compiled_ == nullptr) {
    const size_t found = text.find(literal_, from);
    if (found == std::string_view::npos) return false;
    match = {found, found + literal_.size()};
    return true;
  }
  MatchSpace& space = MatchSpace::OfThisThread();
  const int result = pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                 text.size(), from, PCRE2_NO_UTF_CHECK, space.data, space.context);
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    BadInput("text", "{}: the regular expression '{}' failed on a text of {} bytes: {}",
             compiled_->where, compiled_->expression, text.size(), ErrorText(result));
  }
  const size_t* ends = pcre2_get_ovector_pointer(space.data);
  match = {ends[0], ends[1]};
  return true;
}

std::vector<AlignedText::Match> Pattern::FindAll(std::string_view text) const {
  std::vector<AlignedText::Match> matches;
  std::string copy;
  if (compiled_ != nullptr) text = WithStandIns(text, copy);
  AlignedText::Match match;
  for (size_t from = 0; from <= text.size() && Find(text, from, match);) {
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
