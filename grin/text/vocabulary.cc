#include "grin/text/vocabulary.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {

Vocabulary::Vocabulary(std::vector<std::pair<std::string, int64_t>> entries,
                       std::string_view where) {
  int64_t largest = -1;
  for (const auto& [token, id] : entries) {
    if (id < 0 || id > kLargestTokenId) {
      BadInput("text", "{}: token '{}' has id {}, expected 0 to {}", where, token, id,
               kLargestTokenId);
    }
    largest = std::max(largest, id);
  }
  tokens_.resize(static_cast<size_t>(largest + 1));
  used_.resize(tokens_.size());
  ids_.reserve(entries.size());
  for (auto& [token, id] : entries) {
    const auto index = static_cast<size_t>(id);
    if (used_[index]) {
      BadInput("text", "{}: tokens '{}' and '{}' have the same id {}", where, tokens_[index], token,
               id);
    }
    if (const auto found = ids_.find(token); found != ids_.end()) {
      const auto earlier = static_cast<size_t>(found->second);
      ids_.erase(found);
      tokens_[earlier].clear();
      used_[earlier] = false;
    }
    tokens_[index] = std::move(token);
    used_[index] = true;
    ids_.emplace(tokens_[index], static_cast<int32_t>(id));
  }
}

std::optional<int32_t> Vocabulary::IdOf(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::TokenOf(int32_t id) const {
  if (id < 0 || id >= size() || !used_[static_cast<size_t>(id)]) return nullptr;
  return &tokens_[static_cast<size_t>(id)];
}

}  // namespace grin
