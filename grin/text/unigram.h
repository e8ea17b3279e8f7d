#pragma once
// The unigram language model of SentencePiece: a word becomes the pieces whose scores (logarithms
// of probabilities) have the largest sum.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/text/byte_trie.h"
#include "grin/text/token_model.h"

namespace grin {

class Unigram : public TokenModel {
 public:
  // Pieces with their scores; a piece's id is its place. `unknown` is the id of the unknown piece;
  // with `byte_fallback` unknown text becomes <0xE2><0x82>... where all those pieces exist. Error
  // (bad input) when there are no pieces or `unknown` is none of them; `where` names the file.
  Unigram(std::vector<std::pair<std::string, double>> pieces, std::optional<int64_t> unknown,
          bool byte_fallback, const std::string& where);

  void Tokenize(std::string_view word, Alphabet alphabet,
                std::vector<WordToken>& tokens) const override;

 private:
  // The best way to a place in the word: its last piece.
  struct Step {
    int32_t id = -1;  // -1: no way yet
    uint32_t length = 0;
    double score = 0;  // of the whole way
  };
  void FindBestSteps(std::string_view word, std::vector<Step>& steps) const;
  void Append(std::string_view part, int32_t id, std::vector<WordToken>& tokens) const;
  int32_t UnknownId(std::string_view text) const;

  std::vector<double> scores_;
  std::optional<int32_t> unknown_;
  double unknown_score_ = 0;
  std::vector<int32_t> byte_ids_;  // of <0x00> .. <0xFF>, -1 for none; empty without fallback
  ByteTrie trie_;
  std::string where_;
  uint32_t serial_;  // tells the words of this model apart in the cache of a thread
};

}  // namespace grin
