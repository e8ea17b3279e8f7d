#pragma once
// Floats in order, as unsigned keys of three digits, and how often each first digit occurs. Counts
// of digits lead to the value of any rank without a sort, and may be added up as values come.

#include <ATen/ATen.h>

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace grin {

// Unsigned integers in the order of the floats they stand for; -0 and +0 share one.
inline uint32_t KeyOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);  // -0 + 0 is +0
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

inline float ValueOfKey(uint32_t key) {
  return std::bit_cast<float>(key & 0x80000000 ? key & 0x7fffffff : ~key);
}

// Where the digits of a key begin, the first one first: 11, 11 and 10 bits. 16 KB of counters stay
// in the first-level cache.
inline constexpr std::array kDigitBegins = {21, 10, 0};
inline constexpr int kDigitBits = 11;
using DigitCounts = std::array<int64_t, 1 << kDigitBits>;

// Entries that are looked at together on another device than the CPU, which bounds what is held
// beside them: some 24 bytes each.
inline constexpr int64_t kDevicePiece = int64_t{1} << 24;

// First digits of the values, or of the magnitudes, of tensors that come one after the other, and
// their NaNs. On another device than the CPU they are counted there, and the host learns nothing
// until it asks.
class FirstDigits {
 public:
  explicit FirstDigits(bool absolute) : absolute_(absolute) {}

  // fp32, contiguous.
  void Add(const std::string& name, const at::Tensor& values);

  // Of all that were added. Error (bad input) that names the first weight with a NaN. Asks the
  // device.
  DigitCounts Counts() const;
  int64_t total() const { return total_; }

  // The least value of the digit that `wanted` of the values reach: fp32 [], on their device, which
  // is not asked. The lowest number there is where there are not so many.
  at::Tensor LeastReachedBy(int64_t wanted) const;

 private:
  bool absolute_;
  int64_t total_ = 0;
  at::Tensor counts_;  // int64 [2048], of values on the CPU or on the device
  std::vector<std::string> names_;
  std::vector<at::Tensor> nans_;  // int64 [], of each weight
  std::vector<int64_t> sizes_;
};

}  // namespace grin
