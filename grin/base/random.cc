#include "grin/base/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "grin/base/hash.h"

namespace grin {
namespace {

struct Block {
  uint32_t word[4];
};

Block Philox(Block counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter.word[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(p1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(p1),
                static_cast<uint32_t>(p0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<uint32_t>(p0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

double ToUnit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

uint64_t Join(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view stream)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      stream_(Fnv1a64(stream)) {}

static Block At(uint64_t stream, uint64_t position, const uint32_t key[2]) {
  const Block counter{{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                       static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}};
  return Philox(counter, key[0], key[1]);
}

uint64_t RandomStream::Bits(uint64_t position) const {
  const Block block = At(stream_, position, key_);
  return Join(block.word[0], block.word[1]);
}

double RandomStream::Uniform(uint64_t position) const { return ToUnit(Bits(position)); }

double RandomStream::Normal(uint64_t position) const {
  const Block block = At(stream_, position, key_);
  const double u1 = 1.0 - ToUnit(Join(block.word[0], block.word[1]));  // (0, 1]: its log is finite
  const double u2 = ToUnit(Join(block.word[2], block.word[3]));
  return std::sqrt(-2.0 * std::log(u1)) * std::cos(2.0 * std::numbers::pi * u2);
}

uint64_t RandomStream::Below(uint64_t position, uint64_t bound) const {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Bits(position)) * bound) >> 64);
}

std::vector<int64_t> DrawWithoutReplacement(const RandomStream& random, int64_t size,
                                            int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), int64_t{0});
  count = std::min(count, size);
  for (int64_t i = 0; i < count; ++i) {
    const auto other = i + static_cast<int64_t>(random.Below(i, size - i));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(other)]);
  }
  order.resize(static_cast<size_t>(count));
  return order;
}

}  // namespace grin
