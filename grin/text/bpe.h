#pragma once
// Byte-pair encoding: a word becomes its characters (or bytes), then neighbours are merged in the
// order of the merge list, leftmost first, until no merge applies.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grin/text/token_model.h"

namespace grin {

struct BpeSettings {
  std::optional<std::string> unknown_token;
  std::string continuing_prefix;   // on each character of a word but its first ("##")
  std::string end_of_word_suffix;  // on the last character ("</w>")
  bool fuse_unknown = false;       // neighbouring unknown characters become one unknown token
  bool byte_fallback = false;      // an unknown character becomes <0xE2><0x82>...
  bool ignore_merges = false;      // a word that is a token is not taken apart
};

class Bpe : public TokenModel {
 public:
  // Error (bad input) when a merge names a token that the vocabulary lacks, or makes one.
  Bpe(Vocabulary known, const std::vector<std::pair<std::string, std::string>>& merges,
      BpeSettings settings, std::string_view where);

  void Tokenize(std::string_view word, Alphabet alphabet,
                std::vector<WordToken>& tokens) const override;

  bool takes_bytes() const override { return takes_bytes_; }

 private:
  struct Merge {
    uint64_t pair;  // left id << 32 | right id
    int32_t rank;   // -1: an empty slot
    int32_t id;     // what the pair becomes
  };
  const Merge* FindMerge(int32_t left, int32_t right) const;
  void AddMerge(int32_t left, int32_t right, int32_t rank, int32_t id);
  std::optional<int32_t> IdOfCharacter(std::string_view character) const;
  void PrepareBytes();
  bool NoTokenHasInnerMark() const;
  void TokenizeWord(std::string_view word, Alphabet alphabet, std::vector<WordToken>& tokens) const;
  void SplitCharacters(std::string_view word, std::vector<WordToken>& tokens) const;
  void MergeShort(std::vector<WordToken>& tokens) const;
  void MergeLong(std::vector<WordToken>& tokens) const;

  BpeSettings settings_;
  std::string where_;
  uint32_t serial_;            // tells the words of this model apart in the cache of a thread
  std::vector<Merge> merges_;  // open addressing, a power of two
  uint64_t merge_mask_ = 0;
  std::vector<int32_t> basic_characters_;  // id of each character below U+10000, -1 when none
  int32_t byte_ids_[256];
  bool takes_bytes_ = false;
  // No merge reaches across a place in front of "\u2581", where the words of SentencePiece begin;
  // each can be taken apart alone.
  bool splits_at_marks_ = false;
  std::unordered_map<std::string, int32_t> byte_words_;  // with ignore_merges: tokens as bytes
};

}  // namespace grin
