#pragma once
// The token table of a GGUF file, checked.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/gguf/gguf_file.h"

namespace grin {

// The numbers are those of the file format.
enum class GgufTokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct GgufVocabulary {
  std::string model;                     // tokenizer.ggml.model
  std::string pre;                       // tokenizer.ggml.pre, empty when absent
  std::vector<std::string_view> tokens;  // UTF-8; by id
  std::vector<GgufTokenType> types;
  std::vector<double> scores;            // empty when absent
  std::vector<std::string_view> merges;  // empty when absent
  std::optional<uint64_t> bos, eos, unknown, padding, end_of_turn;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
};

// Error (bad input) when a list is missing, of the wrong length or not UTF-8, when there are more
// tokens than `rows` of the embedding, or when an id is out of range.
GgufVocabulary ReadGgufVocabulary(const GgufFile& file, uint64_t rows);

}  // namespace grin
