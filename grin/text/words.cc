#include "grin/text/words.h"

#include <unicode/brkiter.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <memory>

#include "grin/base/error.h"

namespace grin {

std::vector<Word> Words(const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  thread_local const std::unique_ptr<icu::BreakIterator> iterator(
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
  UText* view = utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status);
  if (U_FAILURE(status)) Defect("text", "word break iterator: {}", u_errorName(status));
  iterator->setText(view, status);
  std::vector<Word> words;
  int32_t begin = iterator->first();
  for (int32_t end = iterator->next(); end != icu::BreakIterator::DONE;
       begin = end, end = iterator->next()) {
    if (iterator->getRuleStatus() < UBRK_WORD_NONE_LIMIT) continue;  // spaces, punctuation
    icu::UnicodeString word =
        icu::UnicodeString::fromUTF8(icu::StringPiece(text.data() + begin, end - begin));
    std::string folded;
    word.foldCase().toUTF8String(folded);
    words.push_back({{begin, end}, folded});
  }
  utext_close(view);
  return words;
}

}  // namespace grin
