#pragma once
// A SentencePiece model: the tokenizer.model of Llama 1 and 2, Mistral, Gemma and T5, and the
// merges that its scores stand for.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grin {

enum class PieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct SentencePiece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  // by id
  bool is_unigram = true;             // else byte-pair encoding
  bool byte_fallback = false;
  int32_t unknown_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;  // -1: none
  std::string character_map;             // what the Precompiled normaliser reads; may be empty
  bool add_dummy_prefix = true;          // a text begins with a space
  bool remove_extra_whitespaces = true;  // none at its ends, never two together
};

// Whether the bytes look like such a model rather than text (tiktoken files have the same name).
bool IsSentencePieceModel(std::string_view bytes);

// Error (bad input) naming `where` when the bytes are damaged, a piece is not UTF-8, an id is not a
// piece, or the model is of the kinds "word" and "char".
SentencePieceModel ParseSentencePieceModel(std::string_view bytes, std::string_view where);

// The merges behind a vocabulary, as ids of two pieces that join into a third: the one whose result
// scores highest comes first, equal ones by the ids of their parts. So Llama 2's own tokenizer.json
// has it. Only pieces with `usable` set take part; of equal ones the first does.
std::vector<std::pair<uint32_t, uint32_t>> MergesFromScores(
    std::span<const std::string_view> pieces, std::span<const double> scores,
    const std::vector<bool>& usable);

}  // namespace grin
