#pragma once
// WordPiece, the model of BERT: a word becomes the longest token that it begins with, then the
// longest that the rest begins with, and so on.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grin/text/token_model.h"

namespace grin {

struct WordPieceSettings {
  std::string unknown_token = "[UNK]";
  std::string continuing_prefix = "##";  // on each token of a word but its first
  int64_t longest_word = 100;            // in characters; a longer word is unknown
};

class WordPiece : public TokenModel {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceSettings settings, std::string_view where);

  // A word that cannot be taken apart as a whole becomes one unknown token.
  void Tokenize(std::string_view word, Alphabet alphabet,
                std::vector<WordToken>& tokens) const override;

 private:
  bool TakeApart(std::string_view word, std::vector<WordToken>& tokens) const;

  WordPieceSettings settings_;
  std::string where_;
  size_t longest_token_ = 0;  // in bytes
};

}  // namespace grin
