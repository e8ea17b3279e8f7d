#include "grin/text/byte_trie.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace grin {

ByteTrie::ByteTrie(size_t bytes) : starts_(256, kNone), values_(1, kNone) {
  slots_.resize(std::bit_ceil(std::max<size_t>(bytes, 8) * 2));
  mask_ = slots_.size() - 1;
}

void ByteTrie::Add(std::string_view text, int32_t value) {
  if (text.empty()) return;
  const auto new_node = [&] {
    values_.push_back(kNone);
    return static_cast<int32_t>(values_.size()) - 1;
  };
  int32_t& start = starts_[static_cast<uint8_t>(text[0])];
  if (start == kNone) start = new_node();
  int32_t node = start;
  for (const char byte : text.substr(1)) {
    if (edges_ * 2 >= slots_.size()) Grow();
    const uint64_t edge = Edge(node, byte);
    uint64_t slot = Scatter(edge) & mask_;
    while (slots_[slot].edge != 0 && slots_[slot].edge != edge) slot = (slot + 1) & mask_;
    if (slots_[slot].edge == 0) {
      slots_[slot] = {edge, new_node()};
      ++edges_;
    }
    node = slots_[slot].node;
  }
  int32_t& end = values_[static_cast<size_t>(node)];
  if (end == kNone) end = value;
}

void ByteTrie::Grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  mask_ = slots_.size() - 1;
  for (const Slot& entry : old) {
    if (entry.edge == 0) continue;
    uint64_t slot = Scatter(entry.edge) & mask_;
    while (slots_[slot].edge != 0) slot = (slot + 1) & mask_;
    slots_[slot] = entry;
  }
}

}  // namespace grin
