#pragma once
// A text on its way to tokens: split into pieces, some of which are tokens already.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/text/aligned_text.h"

namespace grin {

// Bytes [begin, end) of one of the texts. token >= 0: an added token, not to be split further.
struct Piece {
  size_t text;
  size_t begin;
  size_t end;
  int32_t token = -1;
};

// Pieces in order. Splitting makes ranges of the same text; changing a piece gives it its own.
class Pieces {
 public:
  // One piece: all of the original, which must outlive this.
  explicit Pieces(std::string_view original) {
    if (!original.empty())
      pieces_.push_back({Add(AlignedText(original, 0, original.size())), 0, original.size()});
  }

  const std::vector<Piece>& list() const { return pieces_; }
  const AlignedText& TextOf(const Piece& piece) const { return texts_[piece.text]; }
  std::string_view View(const Piece& piece) const {
    return TextOf(piece).text().substr(piece.begin, piece.end - piece.begin);
  }
  Span Origin(const Piece& piece) const { return TextOf(piece).Origin(piece.begin, piece.end); }

  // Lets `split(view, parts)` append the parts of each piece that is not a token: ranges within the
  // piece. Empty parts are dropped.
  template <typename Split>
  void SplitEach(Split split) {
    std::vector<Piece> next;
    next.reserve(pieces_.size());
    std::vector<Piece> parts;
    for (const Piece& piece : pieces_) {
      if (piece.token >= 0) {
        next.push_back(piece);
        continue;
      }
      parts.clear();
      split(View(piece), parts);
      for (const Piece& part : parts) {
        if (part.end <= part.begin) continue;
        next.push_back({piece.text, piece.begin + part.begin, piece.begin + part.end, part.token});
      }
    }
    pieces_ = std::move(next);
  }

  // Lets `change(aligned_text)` change each piece that is not a token and for which
  // `applies(view, piece)` holds. Pieces that become empty are dropped.
  template <typename Applies, typename Change>
  void ChangeEach(Applies applies, Change change) {
    std::vector<Piece> next;
    next.reserve(pieces_.size());
    for (const Piece& piece : pieces_) {
      if (piece.token >= 0 || !applies(View(piece), piece)) {
        next.push_back(piece);
        continue;
      }
      AlignedText text = AlignedText::Part(TextOf(piece), piece.begin, piece.end);
      change(text);
      const size_t size = text.text().size();
      if (size > 0) next.push_back({Add(std::move(text)), 0, size});
    }
    pieces_ = std::move(next);
  }

 private:
  size_t Add(AlignedText text) {
    texts_.push_back(std::move(text));
    return texts_.size() - 1;
  }

  std::deque<AlignedText> texts_;
  std::vector<Piece> pieces_;
};

}  // namespace grin
