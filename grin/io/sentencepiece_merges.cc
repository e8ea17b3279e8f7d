#include "grin/io/sentencepiece_merges.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace grin {

std::vector<std::pair<uint32_t, uint32_t>> MergesFromScores(
    std::span<const std::string_view> pieces, std::span<const double> scores,
    const std::vector<bool>& usable) {
  std::unordered_map<std::string_view, uint32_t> ids;
  ids.reserve(pieces.size());
  for (uint32_t id = 0; id < pieces.size(); ++id) {
    if (usable[id]) ids.emplace(pieces[id], id);
  }
  struct Candidate {
    double score;
    uint32_t left, right;
  };
  std::vector<Candidate> candidates;
  for (uint32_t id = 0; id < pieces.size(); ++id) {
    const std::string_view piece = pieces[id];
    if (!usable[id] || ids.at(piece) != id) continue;
    for (size_t i = 1; i < piece.size(); ++i) {
      if ((piece[i] & 0xC0) == 0x80) continue;  // inside a character
      const auto left = ids.find(piece.substr(0, i));
      if (left == ids.end()) continue;
      const auto right = ids.find(piece.substr(i));
      if (right == ids.end()) continue;
      candidates.push_back({scores[id], left->second, right->second});
    }
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.left, a.right) < std::tie(b.left, b.right);
  });
  std::vector<std::pair<uint32_t, uint32_t>> merges;
  merges.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    merges.emplace_back(candidate.left, candidate.right);
  }
  return merges;
}

}  // namespace grin
