#pragma once
// Strings by their bytes, to find those that a text begins with.

#include <cstdint>
#include <string_view>
#include <vector>

namespace grin {

class ByteTrie {
 public:
  static constexpr int32_t kNone = -1;

  // `bytes`: an estimate of the bytes that will be added, beginnings in common counted once.
  explicit ByteTrie(size_t bytes = 0);

  // Of a string that is added twice the first value counts. value >= 0; empty strings are left out.
  void Add(std::string_view text, int32_t value);

  // The node of a text of no bytes, and that of a node's text with a byte more; kNone where no
  // string goes on so.
  int32_t root() const { return 0; }
  int32_t Step(int32_t node, char byte) const {
    if (node == 0) return starts_[static_cast<uint8_t>(byte)];
    const uint64_t edge = Edge(node, byte);
    for (uint64_t slot = Scatter(edge) & mask_;; slot = (slot + 1) & mask_) {
      if (slots_[slot].edge == edge) return slots_[slot].node;
      if (slots_[slot].edge == 0) return kNone;
    }
  }

  // The value of the string that ends at a node; kNone where none does.
  int32_t ValueOf(int32_t node) const { return values_[static_cast<size_t>(node)]; }

  bool empty() const { return values_.size() == 1; }

 private:
  struct Slot {
    uint64_t edge = 0;  // 0: empty
    int32_t node = kNone;
  };
  static uint64_t Edge(int32_t node, char byte) {
    return static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(byte);
  }
  static uint64_t Scatter(uint64_t edge) {
    edge *= 0x9e3779b97f4a7c15ull;
    return edge ^ edge >> 32;
  }
  void Grow();

  std::vector<int32_t> starts_;  // node of each first byte
  std::vector<int32_t> values_;  // by node
  std::vector<Slot> slots_;      // the other edges: open addressing, a power of two
  uint64_t mask_ = 0;
  size_t edges_ = 0;
};

}  // namespace grin
