#include "grin/locate/digits.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "grin/base/error.h"
#include "grin/locate/device_top_k.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

constexpr int kFirst = kDigitBegins[0];

// Counts on the CPU: NaNs stand above infinity, and are told apart.
int64_t CountOnCpu(const at::Tensor& values, bool absolute, int64_t* counts) {
  const float* numbers = values.const_data_ptr<float>();
  std::mutex mutex;
  int64_t nans = 0;
  ForEachPiece(values.numel(), [&](int64_t begin, int64_t end) {
    std::array<uint32_t, 1 << kDigitBits> piece{};
    int64_t nans_of_piece = 0;
    for (int64_t i = begin; i < end; ++i) {
      nans_of_piece += std::isnan(numbers[i]);
      ++piece[KeyOf(absolute ? std::fabs(numbers[i]) : numbers[i]) >> kFirst];
    }
    const std::lock_guard lock(mutex);
    nans += nans_of_piece;
    for (size_t digit = 0; digit < piece.size(); ++digit) counts[digit] += piece[digit];
  });
  return nans;
}

}  // namespace

void FirstDigits::Add(const std::string& name, const at::Tensor& values) {
  if (!counts_.defined()) {
    counts_ = at::zeros({int64_t{1} << kDigitBits}, values.options().dtype(at::kLong));
  }
  total_ += values.numel();
  names_.push_back(name);
  sizes_.push_back(values.numel());
  if (values.is_cpu()) {
    nans_.push_back(at::scalar_tensor(
        CountOnCpu(values, absolute_, counts_.mutable_data_ptr<int64_t>()), at::kLong));
    return;
  }
  const at::Tensor flat = values.flatten();
  at::Tensor nans = at::zeros({}, counts_.options());
  for (int64_t begin = 0; begin < flat.numel(); begin += kDevicePiece) {
    const at::Tensor piece = flat.narrow(0, begin, std::min(kDevicePiece, flat.numel() - begin));
    nans.add_(piece.isnan().sum());
    counts_.add_(FirstDigitsOnDevice(piece, absolute_));
  }
  nans_.push_back(nans);
}

DigitCounts FirstDigits::Counts() const {
  DigitCounts counts{};
  if (names_.empty()) return counts;
  const at::Tensor nans = at::stack(nans_).cpu(), host = counts_.cpu();
  for (size_t i = 0; i < names_.size(); ++i) {
    const int64_t found = nans[static_cast<int64_t>(i)].item<int64_t>();
    if (found == 0) continue;
    BadInput("locate",
             "'{}': {} of {} values are NaN, expected numbers; the model or its "
             "gradients overflowed",
             names_[i], found, sizes_[i]);
  }
  std::copy_n(host.const_data_ptr<int64_t>(), counts.size(), counts.begin());
  return counts;
}

at::Tensor FirstDigits::LeastReachedBy(int64_t wanted) const {
  // How many have a digit or a larger one: descending.
  const at::Tensor reaching = counts_.flip(0).cumsum(0).flip(0);
  const at::Tensor digit = reaching.ge(wanted).sum() - 1;  // -1 where there are too few
  return LeastOfFirstDigit(digit);
}

}  // namespace grin
