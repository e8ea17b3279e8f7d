#pragma once
// Tokens that stand beside the model's vocabulary and are found in a text before anything else is
// done to it: <|endoftext|>, <s>, runs of spaces.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/byte_trie.h"
#include "grin/text/normalizer.h"
#include "grin/text/pieces.h"
#include "grin/text/vocabulary.h"

namespace grin {

struct AddedToken {
  std::string content;
  bool single_word = false;  // only where no word character stands beside it
  bool lstrip = false;       // takes the white space in front of it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // found in the normalised text, in its normalised form
  bool special = false;      // may be left out when decoding
};

// Finds strings: at each place the longest, then on behind it.
class StringFinder {
 public:
  // Of a string that is added twice the first value counts. Empty strings are never found.
  void Add(std::string_view text, int32_t value) { strings_.Add(text, value); }
  bool empty() const { return strings_.empty(); }

  struct Found {
    size_t begin;
    size_t end;
    int32_t value;
  };
  std::optional<Found> Find(std::string_view text, size_t from) const;

 private:
  ByteTrie strings_;
};

class AddedTokens {
 public:
  // From the list of tokenizer.json (null: none). As in the `tokenizers` package a token has the id
  // that the vocabulary gives it, else the next one from the size of the vocabulary on, whatever
  // the file says; Warn where the two differ. With `split_special` special tokens are not sought
  // in texts.
  AddedTokens(const Json* list, const Vocabulary& vocabulary, const Normalizer& normalizer,
              bool split_special, const std::string& where);

  // Splits off the tokens of the text as it stands, normalises the rest, and splits off the tokens
  // that are sought in normalised text.
  void Extract(const Normalizer& normalizer, Pieces& pieces) const;

  std::optional<int32_t> IdOf(std::string_view token) const;
  const AddedToken* Find(int32_t id) const;

  // What stands for the token when decoding: its normalised form where that differs. Null when the
  // id is not of an added token.
  const std::string* DecodedForm(int32_t id) const;
  // By content, like the `tokenizers` package: a special token whose normalised form differs is not
  // left out when decoding.
  bool IsSpecialContent(std::string_view content) const;

  int64_t size() const { return size_; }  // one above the largest id

 private:
  void Split(const StringFinder& finder, Pieces& pieces) const;
  void SplitText(const StringFinder& finder, std::string_view text,
                 std::vector<Piece>& parts) const;

  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_map<int32_t, AddedToken> tokens_;
  std::unordered_map<int32_t, std::string> normalized_;  // where it differs from the content
  std::unordered_set<std::string> special_;
  StringFinder plain_;
  StringFinder in_normalized_;
  int64_t size_ = 0;
};

}  // namespace grin
