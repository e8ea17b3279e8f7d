#pragma once
// Which sequences each optimiser step sees.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/base/random.h"

namespace grin {

// Draws indices 0 .. size-1 in a fresh random order each time round. A pure function of seed, name
// and how many were drawn before.
class ShuffledDraw {
 public:
  ShuffledDraw(int64_t size, uint64_t seed, const std::string& name);

  // The next `count` indices; a round that ends midway is followed by the next one.
  std::vector<int64_t> Next(int64_t count);

  // As if the next `count` had been drawn.
  void Skip(int64_t count);

  // What is left of the current round; the whole round when none has begun.
  int64_t left() const;

  int64_t drawn() const { return drawn_; }  // all told

 private:
  int64_t NextIndex();
  void Shuffle();

  RandomStream random_;
  std::vector<int64_t> order_;
  uint64_t draws_ = 0;  // random numbers used
  size_t next_;
  int64_t drawn_ = 0;
};

}  // namespace grin
