#include "grin/text/word_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>

namespace grin {

WordCache& WordCache::OfThisThread() {
  thread_local WordCache cache;
  return cache;
}

uint32_t WordCache::NewSerial() {
  static std::atomic<uint32_t> last = 0;
  return ++last;
}

size_t WordCache::SlotOf(uint32_t serial, std::string_view word) {
  return (std::hash<std::string_view>{}(word) + serial * 0x9e3779b9u) % kSlots;
}

bool WordCache::Find(uint32_t serial, std::string_view word, std::vector<WordToken>& tokens) const {
  if (word.size() > kWord) return false;
  const Slot& slot = slots_[SlotOf(serial, word)];
  if (slot.serial != serial || slot.word_size != word.size() ||
      std::memcmp(slot.word, word.data(), word.size()) != 0) {
    return false;
  }
  for (int i = 0; i < slot.count; ++i) tokens.push_back({slot.ids[i], slot.lengths[i]});
  return true;
}

void WordCache::Keep(uint32_t serial, std::string_view word, const std::vector<WordToken>& tokens,
                     size_t first) {
  const size_t count = tokens.size() - first;
  if (word.size() > kWord || count > kTokens) return;
  Slot& slot = slots_[SlotOf(serial, word)];
  slot.serial = serial;
  slot.word_size = static_cast<uint8_t>(word.size());
  slot.count = static_cast<uint8_t>(count);
  std::copy(word.begin(), word.end(), slot.word);
  for (size_t i = 0; i < count; ++i) {
    slot.ids[i] = tokens[first + i].id;
    slot.lengths[i] = static_cast<uint8_t>(tokens[first + i].length);
  }
}

}  // namespace grin
