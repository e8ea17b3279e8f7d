#include "grin/model/int8_screen.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "grin/base/instructions.h"

namespace grin {
namespace {

constexpr int64_t kLanes = 16;           // tokens of one register
constexpr int64_t kTokens = 2 * kLanes;  // of one tile
constexpr int64_t kRows = 12;            // of one tile: its sums fill 24 of 32 registers
constexpr int64_t kDepth = 4;            // products that one instruction adds up

// A sum of so many products of a byte and a signed byte fits 32 bits.
constexpr int64_t kWidest = 65536;
// Beyond these a product of two could leave the range of fp32.
constexpr float kSmallest = 1e-15f, kLargest = 1e15f;
// More than the few roundings of one logit in fp32 can add, relative to its factors' norms.
constexpr double kRounding = 2e-6;

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// A vector rounded to 255 levels of one scale.
struct Rounded {
  float scale;
  float norm, error, rounded_norm;  // |x|, |x - x'|, |x'|
};

// Writes the levels, -127 .. 127.
Rounded Round(const float* x, int64_t count, int8_t* levels) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const float scale = largest > 0 ? largest / 127 : 1.0f;
  double norm = 0, error = 0, rounded_norm = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float level = std::clamp(std::nearbyint(x[i] / scale), -127.0f, 127.0f);
    levels[i] = static_cast<int8_t>(level);
    const double rounded = static_cast<double>(level) * scale;
    norm += static_cast<double>(x[i]) * x[i];
    error += (x[i] - rounded) * (x[i] - rounded);
    rounded_norm += rounded * rounded;
  }
  const auto above = [](double square) {
    return static_cast<float>(std::sqrt(square) * (1 + kRounding));
  };
  return {scale, above(norm), above(error), above(rounded_norm)};
}

#if defined(__x86_64__)

bool MultipliesInt8Fast() {
  static const bool fast = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
  }();
  return fast;
}

struct Candidate {
  int32_t token;
  float upper;
};

// Of the rows of a group.
struct Row {
  float scale;
  float error;         // |h - h'|
  float rounded_norm;  // |h'|
  int32_t offset;      // 128 times the sum of the levels: weights are stored plus 128
};

// What is known of a row so far.
struct Found {
  float largest_lower = std::numeric_limits<float>::lowest();
  std::vector<Candidate> candidates;
};

// Of the tokens of a tile.
struct Tokens {
  const uint8_t* weights;  // [2, steps, 16, 4]
  const float *scale, *bias, *norm, *error, *slack;
  int32_t first;
};

// Keeps those of a tile's tokens that may be the row's largest. `sums` [32] are of the levels.
GRIN_INLINE inline void Sift(const int32_t* sums, const Row row, const Tokens tokens,
                             Found& found) {
  float upper[kTokens], lower[kTokens];
  float largest = std::numeric_limits<float>::lowest();
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < kTokens; ++i) {
    const auto product = static_cast<float>(sums[i] - row.offset);
    const float logit = product * (tokens.scale[i] * row.scale) + tokens.bias[i];
    const float margin =
        tokens.norm[i] * row.error + tokens.error[i] * row.rounded_norm + tokens.slack[i];
    upper[i] = logit + margin;
    lower[i] = logit - margin;
    largest = upper[i] > largest ? upper[i] : largest;
  }
  if (largest < found.largest_lower) return;  // nearly always
  for (int64_t i = 0; i < kTokens; ++i) {
    if (upper[i] < found.largest_lower) continue;
    found.candidates.push_back({tokens.first + static_cast<int32_t>(i), upper[i]});
    found.largest_lower = std::max(found.largest_lower, lower[i]);
  }
}

// `levels` is int8 [steps, 12, 4]; `count` of the rows are there.
[[gnu::target("avx512f,avx512vnni,prefer-vector-width=512")]] void ScreenTile(
    const Tokens& tokens, const int8_t* levels, int64_t steps, const Row* rows, Found* found,
    int64_t count) {
  __m512i low[kRows], high[kRows];
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) low[r] = high[r] = _mm512_setzero_si512();
  for (int64_t k = 0; k < steps; ++k) {
    const __m512i first = _mm512_loadu_si512(tokens.weights + k * 64);
    const __m512i second = _mm512_loadu_si512(tokens.weights + (steps + k) * 64);
#pragma GCC unroll 12
    for (int64_t r = 0; r < kRows; ++r) {
      int32_t four;
      std::memcpy(&four, levels + (k * kRows + r) * kDepth, sizeof four);
      const __m512i level = _mm512_set1_epi32(four);
      low[r] = _mm512_dpbusd_epi32(low[r], first, level);
      high[r] = _mm512_dpbusd_epi32(high[r], second, level);
    }
  }
  int32_t sums[kRows][kTokens];
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) {
    _mm512_storeu_si512(sums[r], low[r]);
    _mm512_storeu_si512(sums[r] + kLanes, high[r]);
  }
  for (int64_t r = 0; r < count; ++r) Sift(sums[r], rows[r], tokens, found[r]);
}

#endif

}  // namespace

std::optional<Int8Screen> Int8Screen::Of(const Head& head) {
#if defined(__x86_64__)
  const at::Tensor& weight = head.weight.value;
  if (!MultipliesInt8Fast() || !weight.is_cpu() || weight.scalar_type() != at::kFloat ||
      weight.size(1) > kWidest || head.softcap) {
    return std::nullopt;
  }
  const auto in_range = [](const at::Tensor& x) {  // false for a NaN
    return x.detach().abs().max().item<float>() < kLargest;
  };
  if (!in_range(weight) || (head.bias.defined() && !in_range(head.bias.value))) return std::nullopt;

  Int8Screen screen;
  screen.vocabulary_ = weight.size(0);
  screen.width_ = weight.size(1);
  const int64_t places = RoundUp(screen.vocabulary_, kTokens);
  const int64_t depth = RoundUp(screen.width_, kDepth);
  screen.weights_ = at::full({places * depth}, 128, at::kByte);  // a level of 0
  screen.scale_ = at::zeros({places});
  screen.norm_ = at::zeros({places});
  screen.error_ = at::zeros({places});
  screen.slack_ = at::full({places}, 1e-30f);
  screen.bias_ = at::full({places}, -std::numeric_limits<float>::infinity());
  screen.bias_.narrow(0, 0, screen.vocabulary_).zero_();
  if (head.bias.defined()) {
    const at::Tensor bias = head.bias.value.detach().to(at::kFloat);
    screen.bias_.narrow(0, 0, screen.vocabulary_).copy_(bias);
    screen.slack_.narrow(0, 0, screen.vocabulary_).add_(bias.abs(), kRounding);
  }

  const at::Tensor rows = weight.detach().contiguous();
  const auto* from = rows.const_data_ptr<float>();
  auto* to = screen.weights_.mutable_data_ptr<uint8_t>();
  auto* scale = screen.scale_.mutable_data_ptr<float>();
  auto* norm = screen.norm_.mutable_data_ptr<float>();
  auto* error = screen.error_.mutable_data_ptr<float>();
  at::parallel_for(0, screen.vocabulary_, 256, [&](int64_t begin, int64_t end) {
    std::vector<int8_t> levels(depth);
    for (int64_t token = begin; token < end; ++token) {
      const Rounded rounded = Round(from + token * screen.width_, screen.width_, levels.data());
      scale[token] = rounded.scale;
      norm[token] = rounded.norm;
      error[token] = rounded.error + static_cast<float>(kRounding) * rounded.norm;
      uint8_t* place = to + token / kLanes * kLanes * depth + token % kLanes * kDepth;
      for (int64_t i = 0; i < screen.width_; ++i) {
        place[i / kDepth * (kLanes * kDepth) + i % kDepth] = static_cast<uint8_t>(levels[i] + 128);
      }
    }
  });
  return screen;
#else
  (void)head;
  return std::nullopt;
#endif
}

std::optional<std::vector<std::vector<int32_t>>> Int8Screen::Candidates(
    const at::Tensor& hidden) const {
#if defined(__x86_64__)
  const at::Tensor largest = hidden.abs().amax(-1);
  if (!largest.ge(kSmallest).logical_and_(largest.lt(kLargest)).all().item<bool>()) {
    return std::nullopt;
  }
  const int64_t count = hidden.size(0), steps = RoundUp(width_, kDepth) / kDepth;
  const int64_t groups = RoundUp(count, kRows) / kRows;
  const at::Tensor wide = hidden.contiguous();
  std::vector<int8_t> levels(groups * steps * kRows * kDepth), row_levels(width_);
  std::vector<Row> rows(count);
  for (int64_t row = 0; row < count; ++row) {
    const Rounded rounded =
        Round(wide.const_data_ptr<float>() + row * width_, width_, row_levels.data());
    int32_t sum = 0;
    int8_t* group = levels.data() + row / kRows * steps * kRows * kDepth;
    for (int64_t i = 0; i < width_; ++i) {
      sum += row_levels[i];
      group[(i / kDepth * kRows + row % kRows) * kDepth + i % kDepth] = row_levels[i];
    }
    rows[row] = {rounded.scale, rounded.error, rounded.rounded_norm, 128 * sum};
  }

  // Each part of the vocabulary is sifted by itself.
  const int64_t tiles = scale_.numel() / kTokens;
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), tiles);
  std::vector<std::vector<Found>> found(parts, std::vector<Found>(count));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      for (int64_t tile = tiles * part / parts; tile < tiles * (part + 1) / parts; ++tile) {
        const int64_t token = tile * kTokens;
        const auto at = [&](const at::Tensor& all) { return all.const_data_ptr<float>() + token; };
        const Tokens tokens{weights_.const_data_ptr<uint8_t>() + token * steps * kDepth,
                            at(scale_),
                            at(bias_),
                            at(norm_),
                            at(error_),
                            at(slack_),
                            static_cast<int32_t>(token)};
        for (int64_t first = 0; first < count; first += kRows) {
          ScreenTile(tokens, levels.data() + first * steps * kDepth, steps, rows.data() + first,
                     found[part].data() + first, std::min(kRows, count - first));
        }
      }
    }
  });

  std::vector<std::vector<int32_t>> candidates(count);
  for (int64_t row = 0; row < count; ++row) {
    float lower = std::numeric_limits<float>::lowest();
    for (const auto& part : found) lower = std::max(lower, part[row].largest_lower);
    for (const auto& part : found) {
      for (const Candidate& candidate : part[row].candidates) {
        if (candidate.upper >= lower) candidates[row].push_back(candidate.token);
      }
    }
  }
  return candidates;
#else
  (void)hidden;
  return std::nullopt;
#endif
}

}  // namespace grin
