#pragma once
// SentencePiece's byte-pair encoding knows scores of pieces; tokenizer.json has a list of merges.

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace grin {

// The merges behind a vocabulary, as ids of two pieces that join into a third: the one whose result
// scores highest comes first, equal ones by the ids of their parts. So Llama 2's own tokenizer.json
// has it. Only pieces with `usable` set take part; of equal ones the first does.
std::vector<std::pair<uint32_t, uint32_t>> MergesFromScores(
    std::span<const std::string_view> pieces, std::span<const double> scores,
    const std::vector<bool>& usable);

}  // namespace grin
