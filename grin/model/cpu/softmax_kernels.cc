#include "grin/model/cpu/softmax_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "grin/model/cpu/softmax_kernels.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which compiles this file once for each set of instructions:
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace grin {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using RowTag = hn::ScalableTag<float>;
using RowVector = hn::Vec<RowTag>;

// In place of -infinity, whose distance to itself is a NaN: a row may hold nothing but tokens that
// are ruled out, and its sums then weigh nothing beside others.
constexpr float kLowestLogit = std::numeric_limits<float>::lowest();

int64_t LanesOfRow() { return static_cast<int64_t>(hn::Lanes(RowTag())); }

// Calls visit(first, count, load) for each register of a row: `load(numbers)` gives the numbers at
// first .. first + count, and `fill` in the lanes beyond the row's end.
template <typename Visit>
HWY_INLINE void ForRegisters(int64_t begin, int64_t end, Visit visit) {
  const RowTag d;
  const int64_t lanes = LanesOfRow();
  int64_t j = begin;
  for (; j + lanes <= end; j += lanes) {
    visit(j, [&](const float* from, float) HWY_ATTR { return hn::LoadU(d, from + j); });
  }
  if (j < end) {
    visit(j, [&](const float* from, float fill) HWY_ATTR {
      const auto inside = hn::FirstN(d, static_cast<size_t>(end - j));
      return hn::IfThenElse(inside, hn::MaskedLoad(inside, d, from + j), hn::Set(d, fill));
    });
  }
}

HWY_INLINE void StoreUpTo(RowVector v, float* to, int64_t at, int64_t end) {
  const RowTag d;
  if (at + LanesOfRow() <= end) {
    hn::StoreU(v, d, to + at);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(end - at)), d, to + at);
  }
}

// exp(x) of x <= 0 within one unit of the last place. A NaN stays, where Highway's gives 0.
HWY_INLINE RowVector ExpOfDistance(RowVector x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(RowTag(), x));
}

float LargestOfRow(const float* logits, int64_t count) {
  const RowTag d;
  RowVector largest = hn::Set(d, kLowestLogit);
  ForRegisters(0, count, [&](int64_t, auto load) HWY_ATTR {
    largest = hn::Max(load(logits, kLowestLogit), largest);
  });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// A sum of registers that adds at most kRun of them in fp32 before it goes on in float64.
class LongSum {
 public:
  HWY_INLINE LongSum() : part_(hn::Zero(RowTag())) {}

  HWY_INLINE void Add(RowVector v) {
    part_ = hn::Add(part_, v);
    if (++run_ == kRun) Flush();
  }
  HWY_INLINE double Total() {
    Flush();
    return total_;
  }

 private:
  static constexpr int kRun = 16;
  HWY_INLINE void Flush() {
    const RowTag d;
    HWY_ALIGN float lanes[hn::MaxLanes(RowTag())];
    hn::Store(part_, d, lanes);
    double sum = 0;
    for (const float lane : lanes) sum += lane;
    total_ += sum;
    part_ = hn::Zero(d);
    run_ = 0;
  }

  RowVector part_;
  int run_ = 0;
  double total_ = 0;
};

RowSums SumRowBest(const float* logits, int64_t count, float* weights) {
  const RowTag d;
  RowSums sums;
  sums.largest = LargestOfRow(logits, count);
  const RowVector largest = hn::Set(d, sums.largest);
  LongSum total, distances;
  ForRegisters(0, count, [&](int64_t j, auto load) HWY_ATTR {
    // Beyond the end: exp(-infinity) is 0.
    const RowVector distance =
        hn::Sub(load(logits, -std::numeric_limits<float>::infinity()), largest);
    const RowVector weight = ExpOfDistance(distance);
    total.Add(weight);
    if (!weights) return;
    StoreUpTo(weight, weights, j, count);
    // What is ruled out weighs 0, and 0 times its distance is not to be a NaN.
    distances.Add(hn::Mul(weight, hn::Max(distance, hn::Set(d, kLowestLogit))));
  });
  sums.total = total.Total();
  // A search for the largest passes by NaNs, a sum does not.
  if (std::isnan(sums.total)) sums.largest = std::numeric_limits<float>::quiet_NaN();
  if (!weights) return sums;
  sums.mean = distances.Total() / sums.total;
  const RowVector mean = hn::Set(d, static_cast<float>(sums.mean));
  LongSum squares;
  ForRegisters(0, count, [&](int64_t, auto load) HWY_ATTR {
    const RowVector from_mean = hn::Sub(hn::Sub(load(logits, sums.largest), largest), mean);
    const RowVector weight = load(weights, 0.0f);
    const RowVector square = hn::Mul(weight, hn::Mul(from_mean, from_mean));
    squares.Add(hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), square));
  });
  sums.squares = squares.Total();
  return sums;
}

int64_t FirstLargestBest(const float* numbers, int64_t count) {
  const RowTag d;
  const int64_t lanes = LanesOfRow();
  RowVector largest = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto nan = hn::IsNaN(largest);
  ForRegisters(0, count, [&](int64_t, auto load) HWY_ATTR {
    const RowVector v = load(numbers, -std::numeric_limits<float>::infinity());
    nan = hn::Or(nan, hn::IsNaN(v));
    largest = hn::Max(v, largest);
  });
  const bool has_nan = !hn::AllFalse(d, nan);
  const RowVector wanted = hn::Set(d, hn::GetLane(hn::MaxOfLanes(d, largest)));
  for (int64_t j = 0; j + lanes <= count; j += lanes) {
    const RowVector v = hn::LoadU(d, numbers + j);
    const intptr_t found = hn::FindFirstTrue(d, has_nan ? hn::IsNaN(v) : hn::Eq(v, wanted));
    if (found >= 0) return j + found;
  }
  const float most = hn::GetLane(wanted);
  for (int64_t j = count / lanes * lanes; j < count; ++j) {
    if (has_nan ? std::isnan(numbers[j]) : numbers[j] == most) return j;
  }
  return 0;
}

void SerialNormalisersBest(const float* logits, int64_t rows, int64_t count, float* normalisers) {
  constexpr int64_t kTogether = 8;  // rows whose additions, each after the other, overlap
  constexpr int64_t kBlock =
      512;  // columns whose exponentials are in the cache when they are added
  const RowTag d;
  float weights[kTogether][kBlock];
  for (int64_t first = 0; first < rows; first += kTogether) {
    const int64_t together = std::min(kTogether, rows - first);
    float largest[kTogether] = {}, sum[kTogether] = {};
    for (int64_t r = 0; r < together; ++r) {
      largest[r] = LargestOfRow(logits + (first + r) * count, count);
    }
    for (int64_t block = 0; block < count; block += kBlock) {
      const int64_t end = std::min(kBlock, count - block);
      for (int64_t r = 0; r < together; ++r) {
        const float* from = logits + (first + r) * count + block;
        const RowVector most = hn::Set(d, largest[r]);
        ForRegisters(0, end, [&](int64_t j, auto load) HWY_ATTR {
          StoreUpTo(ExpOfDistance(hn::Sub(load(from, 0.0f), most)), weights[r], j, end);
        });
      }
      for (int64_t j = 0; j < end; ++j) {
        for (int64_t r = 0; r < kTogether; ++r) sum[r] += r < together ? weights[r][j] : 0.0f;
      }
    }
    for (int64_t r = 0; r < together; ++r) {
      normalisers[first + r] = largest[r] + std::log(sum[r]);
    }
  }
}

void SoftmaxScoresBest(float* scores, int64_t count, float scale, float cap) {
  const RowTag d;
  if (cap != 0) {
    ForRegisters(0, count, [&](int64_t j, auto load) HWY_ATTR {
      const RowVector inner = hn::Mul(load(scores, 0.0f), hn::Set(d, scale / cap));
      StoreUpTo(hn::Mul(hn::Tanh(d, inner), hn::Set(d, cap)), scores, j, count);
    });
    scale = 1;
  }
  const RowVector factor = hn::Set(d, scale);
  RowVector most = hn::Set(d, kLowestLogit);
  ForRegisters(0, count, [&](int64_t, auto load) HWY_ATTR {
    most = hn::Max(hn::Mul(load(scores, kLowestLogit / 2), factor), most);
  });
  const RowVector largest = hn::Set(d, hn::GetLane(hn::MaxOfLanes(d, most)));
  LongSum total;
  ForRegisters(0, count, [&](int64_t j, auto load) HWY_ATTR {
    const RowVector score = hn::Mul(load(scores, -std::numeric_limits<float>::infinity()), factor);
    const RowVector weight = ExpOfDistance(hn::Sub(score, largest));
    total.Add(weight);
    StoreUpTo(weight, scores, j, count);
  });
  const RowVector share = hn::Set(d, static_cast<float>(1.0 / total.Total()));
  ForRegisters(0, count, [&](int64_t j, auto load) HWY_ATTR {
    StoreUpTo(hn::Mul(load(scores, 0.0f), share), scores, j, count);
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace grin
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace grin {

HWY_EXPORT(SumRowBest);
HWY_EXPORT(FirstLargestBest);
HWY_EXPORT(SerialNormalisersBest);
HWY_EXPORT(SoftmaxScoresBest);

RowSums SumRow(const float* logits, int64_t count, float* weights) {
  return HWY_DYNAMIC_DISPATCH(SumRowBest)(logits, count, weights);
}

int64_t FirstLargest(const float* numbers, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(FirstLargestBest)(numbers, count);
}

void SerialNormalisers(const float* logits, int64_t rows, int64_t count, float* normalisers) {
  HWY_DYNAMIC_DISPATCH(SerialNormalisersBest)(logits, rows, count, normalisers);
}

void SoftmaxScores(float* scores, int64_t count, float scale, float cap) {
  HWY_DYNAMIC_DISPATCH(SoftmaxScoresBest)(scores, count, scale, cap);
}

RowSums PlainSumRow(const float* logits, int64_t count, bool moments) {
  RowSums sums;
  sums.largest = std::numeric_limits<float>::lowest();
  for (int64_t j = 0; j < count; ++j) sums.largest = std::max(sums.largest, logits[j]);
  for (int64_t j = 0; j < count; ++j) {
    const double distance = static_cast<double>(logits[j]) - sums.largest;
    const double weight = std::exp(distance);
    sums.total += weight;
    if (moments && weight > 0) sums.mean += weight * distance;
  }
  if (std::isnan(sums.total)) sums.largest = std::numeric_limits<float>::quiet_NaN();
  if (!moments) return sums;
  sums.mean /= sums.total;
  for (int64_t j = 0; j < count; ++j) {
    const double distance = static_cast<double>(logits[j]) - sums.largest;
    const double from_mean = distance - sums.mean, weight = std::exp(distance);
    if (weight > 0) sums.squares += weight * from_mean * from_mean;
  }
  return sums;
}

int64_t PlainFirstLargest(const float* numbers, int64_t count) {
  int64_t best = 0;
  for (int64_t j = 0; j < count; ++j) {
    if (std::isnan(numbers[j])) return j;
    if (numbers[j] > numbers[best]) best = j;
  }
  return best;
}

void PlainSerialNormalisers(const float* logits, int64_t rows, int64_t count, float* normalisers) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits + r * count;
    float largest = std::numeric_limits<float>::lowest(), sum = 0;
    for (int64_t j = 0; j < count; ++j) largest = std::max(largest, row[j]);
    for (int64_t j = 0; j < count; ++j) sum += std::exp(row[j] - largest);
    normalisers[r] = largest + std::log(sum);
  }
}

void PlainSoftmaxScores(float* scores, int64_t count, float scale, float cap) {
  double largest = std::numeric_limits<double>::lowest(), total = 0;
  const auto score = [&](int64_t j) {
    const double scaled = static_cast<double>(scores[j]) * scale;
    return cap != 0 ? cap * std::tanh(scaled / cap) : scaled;
  };
  for (int64_t j = 0; j < count; ++j) largest = std::max(largest, score(j));
  for (int64_t j = 0; j < count; ++j) total += std::exp(score(j) - largest);
  for (int64_t j = 0; j < count; ++j) {
    scores[j] = static_cast<float>(std::exp(score(j) - largest) / total);
  }
}

}  // namespace grin
#endif  // HWY_ONCE
