#pragma once
// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3"). A value is a pure function of (seed, stream, position): the same for any
// thread count, device or sharding.

#include <cstdint>
#include <string_view>
#include <vector>

namespace grin {

class RandomStream {
 public:
  // `stream` names what the numbers are for, e.g. a tensor or "order/forget".
  RandomStream(uint64_t seed, std::string_view stream);

  // 64 uniform random bits of a position.
  uint64_t Bits(uint64_t position) const;

  // Uniform in [0, 1), 53 bits.
  double Uniform(uint64_t position) const;

  // Standard normal by Box-Muller; each position has its own pair of uniforms.
  double Normal(uint64_t position) const;

  // Uniform integer in [0, bound); bound > 0. The bias is below bound / 2^64.
  uint64_t Below(uint64_t position, uint64_t bound) const;

 private:
  uint32_t key_[2];
  uint64_t stream_;
};

// `count` different numbers of 0 .. size - 1 in the order in which they are drawn; all of them,
// shuffled, where there are no more than `count`.
std::vector<int64_t> DrawWithoutReplacement(const RandomStream& random, int64_t size,
                                            int64_t count);

}  // namespace grin
