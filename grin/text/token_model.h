#pragma once
// The part of a tokenizer that takes a word apart: BPE, Unigram, ...

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/base/json_fields.h"
#include "grin/text/tokenizer_file.h"
#include "grin/text/vocabulary.h"

namespace grin {

// A token of a word and how many bytes of the word it covers, behind those of the token before it.
// Length 0: it covers the same bytes as the token before it.
struct WordToken {
  int32_t id;
  int64_t length;
  bool operator==(const WordToken&) const = default;
};

// Immutable; Tokenize may be called from several threads.
class TokenModel {
 public:
  virtual ~TokenModel() = default;

  // Appends the tokens of a word. Of the words of `kBytes` each byte counts as its character of the
  // byte-level alphabet; only where takes_bytes(). Error (bad input) when the text needs an unknown
  // token that is missing.
  enum class Alphabet { kText, kBytes };
  virtual void Tokenize(std::string_view word, Alphabet alphabet,
                        std::vector<WordToken>& tokens) const = 0;

  // Whether every byte has a token, so that Alphabet::kBytes may be used.
  virtual bool takes_bytes() const { return false; }

  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  explicit TokenModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

 private:
  Vocabulary vocabulary_;
};

// The one that "model" of a tokenizer.json describes; takes the vocabulary out of `file`, which
// `where` names. Error (bad input) on an unknown type, or wrong or missing fields.
std::unique_ptr<const TokenModel> MakeTokenModel(const JsonFields& fields, TokenizerFile& file,
                                                 const std::string& where);

}  // namespace grin
