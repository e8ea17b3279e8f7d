#pragma once
// What a row of logits is asked, by the best instructions that may be used. Sums lose no terms on
// any of them: a few numbers are added in fp32, then in float64.

#include <cstdint>

namespace grin {

// Sums over the columns j of a row, weighted by w_j = exp(logit_j - largest).
struct RowSums {
  float largest = 0;   // of the logits, at least the lowest number of fp32; NaN where there is one
  double total = 0;    // of the weights
  double mean = 0;     // of the distances logit_j - largest; only with moments
  double squares = 0;  // of the squared differences from the mean, times the weights; likewise
};

// `weights` is room for `count` numbers where moments are wanted, else null. Logits may be
// -infinity.
RowSums SumRow(const float* logits, int64_t count, float* weights);
RowSums PlainSumRow(const float* logits, int64_t count, bool moments);

// The first index of the largest number; of the first NaN where there is one. count > 0.
int64_t FirstLargest(const float* numbers, int64_t count);
int64_t PlainFirstLargest(const float* numbers, int64_t count);

// log sum exp of each row whose exponentials are added to one float from left to right, which loses
// what is below its last place: see SerialLogNormaliser. `rows` rows lie `count` apart.
void SerialNormalisers(const float* logits, int64_t rows, int64_t count, float* normalisers);
void PlainSerialNormalisers(const float* logits, int64_t rows, int64_t count, float* normalisers);

// Scores [count] times `scale`, then capped by cap * tanh(score / cap) unless the cap is 0, then
// their softmax, in their place. For attention.
void SoftmaxScores(float* scores, int64_t count, float scale, float cap);
void PlainSoftmaxScores(float* scores, int64_t count, float scale, float cap);

}  // namespace grin
