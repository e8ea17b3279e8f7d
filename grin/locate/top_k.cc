#include "grin/locate/top_k.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "grin/base/error.h"
#include "grin/locate/device_top_k.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

uint32_t AbsoluteKey(float value) { return KeyOf(std::fabs(value)); }

int64_t ScoreCount(const std::vector<ScoreTensor>& tensors) {
  int64_t total = 0;
  for (const ScoreTensor& tensor : tensors) {
    if (tensor.values.scalar_type() != at::kFloat || !tensor.values.is_contiguous()) {
      Defect("locate", "scores of '{}' are not contiguous fp32", tensor.name);
    }
    total += tensor.values.numel();
  }
  return total;
}

bool OnCpu(const std::vector<ScoreTensor>& tensors) {
  return tensors.empty() || tensors.front().values.is_cpu();
}

std::vector<int64_t> CountNaNs(const std::vector<ScoreTensor>& tensors) {
  if (!OnCpu(tensors)) return CountNaNsOnDevice(tensors);
  std::vector<int64_t> counts;
  for (const ScoreTensor& tensor : tensors) {
    const float* values = tensor.values.const_data_ptr<float>();
    std::atomic<int64_t> found = 0;
    ForEachPiece(tensor.values.numel(), [&](int64_t begin, int64_t end) {
      found += std::count_if(values + begin, values + end, [](float x) { return std::isnan(x); });
    });
    counts.push_back(found);
  }
  return counts;
}

void RefuseNaN(const std::vector<ScoreTensor>& tensors) {
  const std::vector<int64_t> counts = CountNaNs(tensors);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (counts[i] == 0) continue;
    BadInput("locate",
             "'{}': {} of {} values are NaN, expected numbers; the model or its "
             "gradients overflowed",
             tensors[i].name, counts[i], tensors[i].values.numel());
  }
}

// How often each value of the key's bits [low, high) occurs among the keys that agree with `prefix`
// from `high` upwards.
template <typename ToKey>
DigitCounts CountDigits(const std::vector<ScoreTensor>& tensors, uint32_t prefix, int low, int high,
                      const ToKey& key_of) {
  const uint32_t digit_mask = (uint32_t{1} << (high - low)) - 1;
  DigitCounts histogram{};
  std::mutex mutex;
  for (const ScoreTensor& tensor : tensors) {
    const float* values = tensor.values.const_data_ptr<float>();
    ForEachPiece(tensor.values.numel(), [&](int64_t begin, int64_t end) {
      std::array<uint32_t, 1 << kDigitBits> counts{};
      for (int64_t i = begin; i < end; ++i) {
        const uint32_t key = key_of(values[i]);
        if (uint64_t{key ^ prefix} >> high == 0) ++counts[key >> low & digit_mask];
      }
      const std::lock_guard lock(mutex);
      for (size_t digit = 0; digit < counts.size(); ++digit) histogram[digit] += counts[digit];
    });
  }
  return histogram;
}

struct Rank {
  uint32_t key;   // of the value at the rank
  int64_t below;  // number of values with a smaller key
  int64_t equal;  // number of values with this key
};

// The value that stands at `rank` (from 0) in ascending order. Where the first digits were counted
// before, they are not counted again.
template <typename ToKey>
Rank FindRank(const std::vector<ScoreTensor>& tensors, int64_t rank, const ToKey& key_of,
              const DigitCounts* first = nullptr) {
  Rank result{0, 0, 0};
  int high = 32;
  for (const int low : kDigitBegins) {
    const DigitCounts histogram =
        first && high == 32 ? *first : CountDigits(tensors, result.key, low, high, key_of);
    uint32_t digit = 0;
    while (result.below + histogram[digit] <= rank) result.below += histogram[digit++];
    result.key |= digit << low;
    result.equal = histogram[digit];
    high = low;
  }
  return result;
}

int64_t RankOfPercentile(double p, int64_t total) {
  if (!(p >= 0 && p <= 100))
    BadUsage("locate", "percentile {} was asked for, expected 0 to 100", p);
  if (total == 0) BadInput("locate", "a percentile was asked for, but no weights are in scope");
  return static_cast<int64_t>(std::floor(p / 100 * static_cast<double>(total - 1)));
}

int64_t CountKeys(const ScoreTensor& tensor, uint32_t key) {
  const float* values = tensor.values.const_data_ptr<float>();
  std::atomic<int64_t> found = 0;
  ForEachPiece(tensor.values.numel(), [&](int64_t begin, int64_t end) {
    found += std::count_if(values + begin, values + end,
                           [&](float value) { return KeyOf(value) == key; });
  });
  return found;
}

// The lowest selected value, and how many of those equal to it are selected.
struct Lowest {
  uint32_t key = std::numeric_limits<uint32_t>::max();  // of a NaN, which nothing is above
  int64_t ties = 0;
};

// It is at rank total - k, unless nothing is selected.
Lowest FindLowest(const std::vector<ScoreTensor>& scores, int64_t k) {
  if (k == 0) return {};
  const int64_t total = ScoreCount(scores);
  const Rank lowest = FindRank(scores, total - k, KeyOf);
  return {lowest.key, k - (total - lowest.below - lowest.equal)};
}

// The mask of one tensor: every key above `threshold`, and the first of those equal to it, as many
// as `ties` still allows; `ties` is lowered by what was taken.
MaskTensor Select(const ScoreTensor& tensor, uint32_t threshold, int64_t& ties) {
  const float* values = tensor.values.const_data_ptr<float>();
  const int64_t size = tensor.values.numel();
  std::vector<int64_t> ties_of_piece((size + kPieceSize - 1) / kPieceSize);
  ForEachPiece(size, [&](int64_t begin, int64_t end) {
    ties_of_piece[begin / kPieceSize] = std::count_if(
        values + begin, values + end, [&](float value) { return KeyOf(value) == threshold; });
  });
  for (int64_t& count : ties_of_piece) {  // from those present to those taken
    count = std::min(count, ties);
    ties -= count;
  }

  MaskTensor mask{tensor.name, tensor.values.sizes().vec(), std::vector<uint8_t>((size + 7) / 8)};
  ForEachPiece(size, [&](int64_t begin, int64_t end) {
    int64_t ties_left = ties_of_piece[begin / kPieceSize];
    for (int64_t i = begin; i < end; ++i) {
      const uint32_t key = KeyOf(values[i]);
      const bool tie = key == threshold && ties_left > 0;
      ties_left -= tie;
      mask.bits[i >> 3] |= static_cast<uint8_t>((key > threshold || tie) << (i & 7));
    }
  });
  return mask;
}

}  // namespace

int64_t RoundedCount(double fraction, int64_t total) {
  if (!(fraction >= 0 && fraction <= 1)) {
    BadUsage("locate", "a fraction of {} was asked for, expected 0 to 1", fraction);
  }
  return static_cast<int64_t>(std::floor(fraction * static_cast<double>(total) + 0.5));
}

Mask SelectTopK(const std::vector<ScoreTensor>& scores, int64_t k) {
  const int64_t total = ScoreCount(scores);
  if (k < 0 || k > total) Defect("locate", "{} weights to select from {}", k, total);
  RefuseNaN(scores);

  std::vector<const ScoreTensor*> ordered;
  for (const ScoreTensor& tensor : scores) ordered.push_back(&tensor);
  std::ranges::sort(ordered, {}, &ScoreTensor::name);
  if (!OnCpu(scores)) return Mask(SelectOnDevice(ordered, k));

  Lowest lowest = FindLowest(scores, k);
  std::vector<MaskTensor> tensors;
  for (const ScoreTensor* tensor : ordered) {
    tensors.push_back(Select(*tensor, lowest.key, lowest.ties));
  }
  return Mask(std::move(tensors));
}

SelectedFrom FindSelected(const std::vector<ScoreTensor>& ordered, int64_t k) {
  const Lowest lowest = FindLowest(ordered, k);
  SelectedFrom selected{.threshold = lowest.key};
  int64_t left = lowest.ties;
  for (const ScoreTensor& tensor : ordered) {
    selected.ties.push_back(left > 0 ? std::min(left, CountKeys(tensor, lowest.key)) : 0);
    left -= selected.ties.back();
  }
  return selected;
}

int64_t CountAbove(const std::vector<ScoreTensor>& scores, double value) {
  at::Tensor count = at::zeros({}, at::kLong);
  for (const ScoreTensor& tensor : scores) {
    count = count.to(tensor.values.device()).add_(tensor.values.gt(value).sum());
  }
  return count.item<int64_t>();
}

float Percentile(const std::vector<ScoreTensor>& values, double p, bool absolute) {
  const int64_t rank = RankOfPercentile(p, ScoreCount(values));
  RefuseNaN(values);
  if (!OnCpu(values)) return ValueOfRankOnDevice(values, rank, absolute);
  return ValueOfKey(absolute ? FindRank(values, rank, AbsoluteKey).key
                             : FindRank(values, rank, KeyOf).key);
}

PercentileFound Percentile(const std::vector<ScoreTensor>& values, double p,
                           const FirstDigits& digits) {
  const DigitCounts counts = digits.Counts();
  const Rank found = FindRank(values, RankOfPercentile(p, ScoreCount(values)), AbsoluteKey, &counts);
  return {ValueOfKey(found.key), found.below};
}

}  // namespace grin
