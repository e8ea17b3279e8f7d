// A token that the model held for unlikely: softmax and target are nearly equal numbers there, and
// their difference is the whole gradient.

#include <gtest/gtest.h>

#include <cmath>

#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

// Logits [6, V] whose token 7 has from 1e-2 down to 1e-7 of the probability.
at::Tensor LogitsOfUnlikelyToken(int64_t vocabulary) {
  at::Tensor logits = at::arange(vocabulary, at::kDouble).mul(0.37).sin().repeat({6, 1});
  for (int64_t row = 0; row < 6; ++row) {
    at::Tensor others = logits[row].clone();
    others[7] = -std::numeric_limits<double>::infinity();
    const double rest = others.logsumexp(0).item<double>(), p = std::pow(10.0, -2.0 - row);
    logits[row][7] = rest + std::log(p / (1 - p));
  }
  return logits.to(at::kFloat);
}

// Of the row's largest derivative.
void ExpectSlopes(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  for (int64_t row = 0; row < got.size(0); ++row) {
    const double largest = expected[row].abs().max().item<double>();
    EXPECT_LT(LargestError(got[row], expected[row]), tolerance * largest) << row;
    EXPECT_GT(expected[row].norm().item<double>(), 0);
  }
}

TEST(Ceu, OfAnUnlikelyTokenHasAnExactGradient) {
  RowValues rows{.values = LogitsOfUnlikelyToken(500), .tokens = at::full({6}, 7, at::kLong)};
  const at::Tensor exact = rows.values.to(at::kDouble);
  at::Tensor without = exact.clone();
  without.select(1, 7).fill_(-std::numeric_limits<double>::infinity());
  std::get<OnLogits>(FindForgetObjective("ceu").kind).loss(rows, {});
  // The logits' own rounding: 6e-8 of magnitudes below 20.
  ExpectSlopes(rows.values, exact.softmax(1) - without.softmax(1), 5e-6);
}

// At the start of a run, where the model is the teacher still.
TEST(Undial, OfAnUnlikelyTokenHasAnExactGradient) {
  const at::Tensor logits = LogitsOfUnlikelyToken(500);
  RowValues rows{.values = logits.clone(),
                 .reference = logits.clone(),
                 .tokens = at::full({6}, 7, at::kLong)};
  at::Tensor lowered = logits.to(at::kDouble);
  lowered.select(1, 7).sub_(2.5);
  std::get<OnLogits>(FindForgetObjective("undial").kind)
      .loss(rows, {.parameters = {{"beta", 2.5}}});
  ExpectSlopes(rows.values, logits.to(at::kDouble).softmax(1) - lowered.softmax(1), 5e-6);
}

TEST(Omit, OfAnUnlikelyTokenHasAnExactGradient) {
  const at::Tensor logits = LogitsOfUnlikelyToken(500);
  RowValues rows{.values = logits.clone(),
                 .reference = logits.clone(),
                 .tokens = at::full({6}, 7, at::kLong)};
  at::Tensor without = logits.to(at::kDouble);
  without.select(1, 7).fill_(-std::numeric_limits<double>::infinity());
  std::get<OnLogits>(FindForgetObjective("omit").kind).loss(rows, {});
  ExpectSlopes(rows.values, logits.to(at::kDouble).softmax(1) - without.softmax(1), 5e-6);
}

}  // namespace
}  // namespace grin
