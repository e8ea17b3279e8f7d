#include "grin/tune/draw.h"

#include <numeric>

namespace grin {

ShuffledDraw::ShuffledDraw(int64_t size, uint64_t seed, const std::string& name)
    : random_(seed, "draw/" + name), order_(size), next_(order_.size()) {
  std::iota(order_.begin(), order_.end(), int64_t{0});
}

int64_t ShuffledDraw::left() const {
  return static_cast<int64_t>(next_ == order_.size() ? order_.size() : order_.size() - next_);
}

int64_t ShuffledDraw::NextIndex() {
  if (next_ == order_.size()) Shuffle();
  ++drawn_;
  return order_[next_++];
}

std::vector<int64_t> ShuffledDraw::Next(int64_t count) {
  std::vector<int64_t> drawn;
  for (int64_t i = 0; i < count; ++i) drawn.push_back(NextIndex());
  return drawn;
}

void ShuffledDraw::Skip(int64_t count) {
  for (int64_t i = 0; i < count; ++i) NextIndex();
}

void ShuffledDraw::Shuffle() {
  for (size_t i = order_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[random_.Below(draws_++, i)]);
  }
  next_ = 0;
}

}  // namespace grin
