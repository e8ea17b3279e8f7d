#include "grin/text/aligned_text.h"

#include <utility>

#include "grin/base/utf8.h"
#include "grin/text/byte_alphabet.h"

namespace grin {

AlignedText AlignedText::Part(const AlignedText& whole, size_t begin, size_t end) {
  if (whole.unchanged_) {
    return AlignedText(whole.original_, whole.begin_ + begin, whole.begin_ + end);
  }
  AlignedText part(whole.original_, 0, 0);
  part.Take(whole.text_.substr(begin, end - begin),
            std::vector<Span>(whole.spans_.begin() + begin, whole.spans_.begin() + end));
  return part;
}

void AlignedText::Take(std::string text, std::vector<Span> spans) {
  text_ = std::move(text);
  spans_ = std::move(spans);
  unchanged_ = false;
}

Span AlignedText::Origin(size_t begin, size_t end) const {
  if (!unchanged_) return {spans_[begin].begin, spans_[end - 1].end};
  begin += begin_;
  end += begin_;
  while (IsContinuationByte(original_[begin])) --begin;
  while (end < original_.size() && IsContinuationByte(original_[end])) ++end;
  return {static_cast<int64_t>(begin), static_cast<int64_t>(end)};
}

void AlignedText::Transform(std::span<const Edit> edits, size_t removed) {
  const std::string_view old = text();
  std::string changed;
  std::vector<Span> spans;
  changed.reserve(old.size());
  spans.reserve(old.size());
  size_t position = 0;
  const auto skip = [&](size_t characters) {
    while (characters-- > 0 && position < old.size()) NextCharacter(old, position);
  };
  skip(removed);
  for (const auto& [character, change] : edits) {
    Span span;
    if (change > 0) {
      if (position > 0) {
        span = Origin(position - 1, position);
      } else {  // nothing stands before it: the place where this text begins
        const int64_t start = old.empty() ? 0 : Origin(0, 1).begin;
        span = {start, start};
      }
    } else if (position < old.size()) {
      span = Origin(position, position + 1);
      skip(static_cast<size_t>(1 - change));
    } else {
      span = old.empty() ? Span{0, 0} : Origin(old.size() - 1, old.size());
    }
    AppendUtf8(changed, character);
    spans.insert(spans.end(), changed.size() - spans.size(), span);
  }
  Take(std::move(changed), std::move(spans));
}

void AlignedText::Prepend(std::string_view prefix) {
  const std::string_view old = text();
  if (old.empty()) return;
  std::string changed;
  changed.reserve(prefix.size() + old.size());
  changed.append(prefix).append(old);
  std::vector<Span> spans;
  spans.reserve(changed.size());
  spans.assign(prefix.size(), Origin(0, 1));
  for (size_t i = 0; i < old.size(); ++i) spans.push_back(Origin(i, i + 1));
  Take(std::move(changed), std::move(spans));
}

void AlignedText::Replace(std::span<const Match> matches, std::string_view content) {
  if (matches.empty()) return;
  const std::string_view old = text();
  std::string changed;
  std::vector<Span> spans;
  changed.reserve(old.size() + matches.size() * content.size());
  spans.reserve(changed.capacity());
  size_t copied = 0;
  const auto copy_until = [&](size_t end) {
    changed.append(old.substr(copied, end - copied));
    for (; copied < end; ++copied) spans.push_back(Origin(copied, copied + 1));
  };
  for (const auto& [begin, end] : matches) {
    copy_until(begin);
    Span span;
    if (end > 0) {
      span = Origin(end - 1, end);
    } else {
      const int64_t start = old.empty() ? 0 : Origin(0, 1).begin;
      span = {start, start};
    }
    changed.append(content);
    spans.insert(spans.end(), content.size(), span);
    copied = end;
  }
  copy_until(old.size());
  Take(std::move(changed), std::move(spans));
}

void AlignedText::ToByteAlphabet() {
  const std::string_view old = text();
  std::string changed;
  std::vector<Span> spans;
  changed.reserve(old.size() * 2);
  spans.reserve(old.size() * 2);
  for (size_t i = 0; i < old.size(); ++i) {
    AppendUtf8(changed, ByteCharacter(static_cast<uint8_t>(old[i])));
    spans.insert(spans.end(), changed.size() - spans.size(), Origin(i, i + 1));
  }
  Take(std::move(changed), std::move(spans));
}

}  // namespace grin
