#pragma once
// The tokens of recent short words, per thread: no locks and a fixed size (2 MB a thread). A word
// evicts the one in its place.

#include <cstdint>
#include <string_view>
#include <vector>

#include "grin/text/token_model.h"

namespace grin {

class WordCache {
 public:
  static WordCache& OfThisThread();

  // A number for a model that no other one has.
  static uint32_t NewSerial();

  // Appends the tokens of a word of the model `serial`. False when it is not here.
  bool Find(uint32_t serial, std::string_view word, std::vector<WordToken>& tokens) const;

  // Keeps tokens[first..] of a word, where they fit.
  void Keep(uint32_t serial, std::string_view word, const std::vector<WordToken>& tokens,
            size_t first);

 private:
  static constexpr size_t kSlots = 1 << 15;
  static constexpr size_t kWord = 32;
  static constexpr size_t kTokens = 5;
  struct Slot {
    uint32_t serial = 0;  // 0: empty
    uint8_t word_size = 0;
    uint8_t count = 0;
    uint8_t lengths[kTokens];
    char word[kWord];
    int32_t ids[kTokens];
  };

  WordCache() : slots_(kSlots) {}
  static size_t SlotOf(uint32_t serial, std::string_view word);

  std::vector<Slot> slots_;
};

}  // namespace grin
