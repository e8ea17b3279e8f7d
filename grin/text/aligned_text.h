#pragma once
// A text that was normalised, with the way back: for every byte, the bytes of the original text it
// came from.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

// Bytes [begin, end) of the original text.
struct Span {
  int64_t begin;
  int64_t end;
  bool operator==(const Span&) const = default;
};

// One character of a text that replaces another one, in order. change 0: it replaces the next
// character; -n: it replaces the next 1 + n; 1: it is inserted and shares the origin of what
// stands before it.
struct Edit {
  char32_t character;
  int change;
};

class AlignedText {
 public:
  // Bytes [begin, end) of the original as they stand. `original` must outlive this.
  AlignedText(std::string_view original, size_t begin, size_t end)
      : original_(original), begin_(begin), end_(end) {}

  // Bytes [begin, end) of another text.
  static AlignedText Part(const AlignedText& whole, size_t begin, size_t end);

  std::string_view text() const {
    return unchanged_ ? original_.substr(begin_, end_ - begin_) : std::string_view(text_);
  }
  bool empty() const { return text().empty(); }

  // Where bytes [begin, end), end > begin, came from: whole characters of the original.
  Span Origin(size_t begin, size_t end) const;

  // Replaces the whole text; its first `removed` characters have no successor.
  void Transform(std::span<const Edit> edits, size_t removed = 0);

  // Puts text in front, which shares the origin of the first character. Nothing when empty.
  void Prepend(std::string_view prefix);

  // Replaces bytes [begin, end) of each match, in order, by `content`, which gets the origin of
  // the match's last character.
  struct Match {
    size_t begin;
    size_t end;
  };
  void Replace(std::span<const Match> matches, std::string_view content);

  // Each byte becomes a character of the byte-level alphabet.
  void ToByteAlphabet();

 private:
  void Take(std::string text, std::vector<Span> spans);

  std::string_view original_;
  size_t begin_;
  size_t end_;
  bool unchanged_ = true;
  std::string text_;         // when changed
  std::vector<Span> spans_;  // when changed: per byte of text_
};

}  // namespace grin
