#pragma once
// Products of bytes that tell which tokens can have the largest logit. See Int8Screen.

#include <cstdint>
#include <limits>
#include <vector>

namespace grin {

inline constexpr int64_t kScreenTokens = 32;  // of one tile
inline constexpr int64_t kScreenRows = 12;    // of one tile
inline constexpr int64_t kScreenDepth = 4;    // products that one instruction adds up
// Hidden numbers have levels -127 .. 127 and are stored plus 128. A weight's level is smaller, so
// that two products of an unsigned and a signed byte fit 16 bits, where AVX2 adds them.
inline constexpr int kHiddenLevels = 127, kWeightLevels = 63;

// The tokens of a tile.
struct ScreenTokens {
  const int8_t* levels;   // [steps, 32, 4]
  const int32_t* offset;  // 128 times the sum of the levels
  const float *scale, *bias, *norm, *error, *slack;
  int32_t first;
};

// The row of a hidden state.
struct ScreenRow {
  float scale;
  float error;         // |h - h'|, h' the rounded row
  float rounded_norm;  // |h'|
};

struct Candidate {
  int32_t token;
  float upper;
};

// What is known of a row so far: each token's logit lies in an interval, and a token stays while
// the upper end of its own reaches the largest of the lower ends.
struct ScreenFound {
  float largest_lower = std::numeric_limits<float>::lowest();
  std::vector<Candidate> candidates;
};

// Sifts a tile's tokens for `count` rows, at most kScreenRows. `levels` is uint8 [steps, 12, 4].
void ScreenTile(const ScreenTokens& tokens, const uint8_t* levels, int64_t steps,
                const ScreenRow* rows, ScreenFound* found, int64_t count);
void PlainScreenTile(const ScreenTokens& tokens, const uint8_t* levels, int64_t steps,
                     const ScreenRow* rows, ScreenFound* found, int64_t count);

// a . b in float64.
double DotInDouble(const float* a, const float* b, int64_t count);
double PlainDotInDouble(const float* a, const float* b, int64_t count);

// Adds the indices j with numbers[j] >= least to `found`, in ascending order.
void AppendAtLeast(const float* numbers, int64_t count, float least, std::vector<int32_t>& found);
void PlainAppendAtLeast(const float* numbers, int64_t count, float least,
                        std::vector<int32_t>& found);

}  // namespace grin
