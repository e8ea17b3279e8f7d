#pragma once
// The tokens of a model and their ids.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace grin {

// Ids beyond this are taken for a damaged file: they would need gigabytes of embeddings.
inline constexpr int64_t kLargestTokenId = (1 << 22) - 1;

class Vocabulary {
 public:
  // Error (bad input) on an id that is negative, too large or given twice; `where` names the file.
  // Of a token that is listed twice the last id counts, as in any JSON object.
  Vocabulary(std::vector<std::pair<std::string, int64_t>> entries, std::string_view where);
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  std::optional<int32_t> IdOf(std::string_view token) const;

  // Null for an id that is not in use.
  const std::string* TokenOf(int32_t id) const;

  // The number of tokens, and one above the largest id; they differ when ids have holes.
  size_t count() const { return ids_.size(); }
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }

 private:
  std::vector<std::string> tokens_;  // by id
  std::vector<bool> used_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_
};

}  // namespace grin
