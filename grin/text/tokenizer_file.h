#pragma once
// A tokenizer.json taken apart.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/base/json.h"

namespace grin {

struct TokenizerFile {
  // All of it but the large parts of the model, which would be slow as JSON values.
  Json settings;
  std::vector<std::pair<std::string, int64_t>> vocabulary;  // token, id
  std::vector<std::pair<std::string, double>> pieces;       // Unigram: token, score
  std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
  bool has_vocabulary = false;                              // model.vocab is an object
  bool has_pieces = false;                                  // model.vocab is an array
  bool has_merges = false;
};

// Error (bad input) on malformed JSON, or a vocabulary or merges of another form; `where` names
// the file.
TokenizerFile ParseTokenizerFile(std::string_view json_text, std::string_view where);

// A vocab.json: one object of tokens and their ids.
std::vector<std::pair<std::string, int64_t>> ParseVocabulary(std::string_view json_text,
                                                             std::string_view where);

}  // namespace grin
