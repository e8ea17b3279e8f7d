#include "grin/text/known_patterns.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "grin/base/error.h"

namespace grin {

namespace {

std::string PcreErrorText(int code) {
  char buffer[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(buffer), sizeof buffer);
  return buffer;
}

// What PCRE2 needs to match one text at a time; each thread has its own.
struct PcreSpace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 64 << 20, nullptr);

  PcreSpace() { pcre2_jit_stack_assign(context, nullptr, stack); }
  PcreSpace(const PcreSpace&) = delete;
  PcreSpace& operator=(const PcreSpace&) = delete;
  ~PcreSpace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  static PcreSpace& OfThisThread() {
    thread_local PcreSpace space;
    return space;
  }
};

class PcreMatcher : public PatternMatcher {
 public:
  PcreMatcher(std::string_view expression, std::string_view where)
      : expression_(expression), where_(where) {
    int code = 0;
    size_t offset = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression_.data()), expression_.size(),
                          PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr);
    if (code_ == nullptr) {
      BadInput("text", "{}: PCRE2 cannot compile the regular expression '{}': {} (at byte {})",
               where_, expression_, PcreErrorText(code), offset);
    }
    pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);  // where it fails, matching is only slower
  }
  PcreMatcher(const PcreMatcher&) = delete;
  PcreMatcher& operator=(const PcreMatcher&) = delete;
  ~PcreMatcher() override { pcre2_code_free(code_); }

  bool Find(std::string_view text, size_t from, AlignedText::Match& match) const override {
    PcreSpace& space = PcreSpace::OfThisThread();
    const int result = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                   from, PCRE2_NO_UTF_CHECK, space.data, space.context);
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0) {
      BadInput("text", "{}: the regular expression '{}' failed on a text of {} bytes: {}", where_,
               expression_, text.size(), PcreErrorText(result));
    }
    const size_t* ends = pcre2_get_ovector_pointer(space.data);
    match = {ends[0], ends[1]};
    return true;
  }

 private:
  std::string expression_;
  std::string where_;
  pcre2_code* code_ = nullptr;
};

}  // namespace

std::shared_ptr<const PatternMatcher> KnownPatternMatcher(std::string_view expression,
                                                          std::string_view where) {
  for (const std::string_view known : {kGpt2Words, kLlama3Words, kQwen2Words}) {
    if (expression == known) return std::make_shared<PcreMatcher>(expression, where);
  }
  return nullptr;
}

}  // namespace grin
