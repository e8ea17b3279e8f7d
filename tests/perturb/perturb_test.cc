#include "grin/perturb/perturb.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grin/base/error.h"
#include "grin/perturb/gaussian.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kSize = 200000;

at::Tensor Noise(std::string_view name, const at::Tensor& indices, double sigma, uint64_t seed) {
  at::Tensor values = at::zeros({indices.defined() ? indices.numel() : kSize}, at::kFloat);
  PerturbGaussian(name, indices, values, sigma, seed);
  return values;
}

TEST(PerturbGaussian, HasTheMomentsOfANormal) {
  const at::Tensor z = Noise("w", {}, 2, 1).to(at::kDouble) / 2;
  EXPECT_NEAR(z.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(z.square().mean().item<double>(), 1, 0.015);
  EXPECT_NEAR(z.pow(3).mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3, 0.08);
  EXPECT_NEAR((z.abs() < 0.6745).to(at::kDouble).mean().item<double>(), 0.5, 0.005);
  EXPECT_NEAR((z.slice(0, 1) * z.slice(0, 0, -1)).mean().item<double>(), 0, 0.01);
}

TEST(PerturbGaussian, OfAnEntryDependsOnItsPositionAlone) {
  const at::Tensor all = Noise("w", {}, 0.1, 1);
  const at::Tensor indices = at::arange(3, kSize, 7, at::kLong);
  EXPECT_TRUE(at::equal(Noise("w", indices, 0.1, 1), all.index_select(0, indices)));
  // Two shards of the same selection.
  const at::Tensor shards = at::cat(
      {Noise("w", indices.slice(0, 0, 1000), 0.1, 1), Noise("w", indices.slice(0, 1000), 0.1, 1)});
  EXPECT_TRUE(at::equal(shards, all.index_select(0, indices)));

  const int threads = at::get_num_threads();
  at::set_num_threads(5);
  EXPECT_TRUE(at::equal(Noise("w", {}, 0.1, 1), all));
  at::set_num_threads(threads);
}

TEST(PerturbGaussian, DiffersBySeedAndName) {
  const at::Tensor noise = Noise("w", {}, 1, 1).to(at::kDouble);
  for (const at::Tensor& other : {Noise("w", {}, 1, 2), Noise("v", {}, 1, 1)}) {
    EXPECT_NEAR((noise * other).mean().item<double>(), 0, 0.01);
  }
}

TEST(PerturbGaussian, AddsToTheValues) {
  at::Tensor values = at::full({kSize}, 3.0f);
  PerturbGaussian("w", {}, values, 0.5, 1);
  EXPECT_TRUE(at::equal(values, (Noise("w", {}, 0.5, 1).to(at::kDouble) + 3).to(at::kFloat)) ||
              at::allclose(values, Noise("w", {}, 0.5, 1) + 3, 1e-6, 1e-6));
  at::Tensor still = at::full({kSize}, 3.0f);
  PerturbGaussian("w", {}, still, 0, 1);
  EXPECT_TRUE(at::equal(still, at::full({kSize}, 3.0f)));
}

TEST(Perturbations, AreFoundByName) {
  at::Tensor values = at::ones({10}, at::kFloat);
  const PerturbInput input{.name = "w", .sigma = 1, .seed = 1};
  FindPerturbation("none").function(input, values);
  EXPECT_TRUE(at::equal(values, at::ones({10}, at::kFloat)));
  FindPerturbation("gaussian").function(input, values);
  EXPECT_FALSE(at::equal(values, at::ones({10}, at::kFloat)));
  EXPECT_THAT([] { FindPerturbation("gausian"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("did you mean gaussian?"), HasSubstr("none"))));
}

TEST(Perturbations, ZeroAndShrinkByHand) {
  at::Tensor values = at::tensor({3.0f, -4.0f});
  FindPerturbation("zero").function({.name = "w"}, values);
  EXPECT_TRUE(at::equal(values, at::zeros({2})));
  // Without noise, and of vectors, which get none: three quarters are left.
  const std::vector<int64_t> matrix = {1, 2}, vector = {2};
  for (const auto& [shape, noise] : {std::pair(matrix, 0.0), std::pair(vector, 5.0)}) {
    values = at::tensor({3.0f, -4.0f});
    FindPerturbation("shrink").function(
        {.name = "w", .shape = shape, .shrink = 0.25, .shrink_noise = noise}, values);
    EXPECT_TRUE(at::equal(values, at::tensor({2.25f, -3.0f})));
  }
}

// Of a matrix of 4 x 8, x is sqrt(6 / 12): values lie in a b (-x, x) around (1 - a) theta, evenly.
TEST(Perturbations, ShrinkAddsXaviersUniformNoise) {
  const std::vector<int64_t> shape = {4, 8};
  at::Tensor values = at::full({kSize}, 2.0f);
  FindPerturbation("shrink").function(
      {.name = "w", .shape = shape, .shrink = 0.5, .shrink_noise = 0.2, .seed = 3}, values);
  const double reach = 0.5 * 0.2 * std::sqrt(0.5);
  const at::Tensor xi = values.to(at::kDouble).sub(1).div(reach);
  EXPECT_LT(xi.abs().max().item<double>(), 1 + 1e-5);
  EXPECT_NEAR(xi.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(xi.square().mean().item<double>(), 1.0 / 3, 0.005);
  EXPECT_NEAR(xi.pow(4).mean().item<double>(), 1.0 / 5, 0.005);
}

TEST(Perturbations, ResetKeepsTheDistributionAndNothingElse) {
  PerturbInput input{.name = "w", .moments = {.mean = 3, .deviation = 0.5}, .seed = 2};
  at::Tensor values = at::linspace(-9, 9, kSize), other = at::zeros({kSize});
  FindPerturbation("reset").function(input, values);
  FindPerturbation("reset").function(input, other);
  EXPECT_TRUE(at::equal(values, other)) << "what was there does not count";
  const at::Tensor z = values.to(at::kDouble).sub(3).div(0.5);
  EXPECT_NEAR(z.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(z.square().mean().item<double>(), 1, 0.015);
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3, 0.08);
}

// By position, whatever the threads and whatever else is selected.
TEST(Perturbations, OfAnEntryDependOnItsPositionAlone) {
  const std::vector<int64_t> shape = {400, 500};
  const at::Tensor start = at::randn({kSize}), indices = at::arange(3, kSize, 7, at::kLong);
  const int threads = at::get_num_threads();
  for (const Perturbation& perturbation : Perturbations()) {
    PerturbInput input{.name = "w", .shape = shape, .moments = {.mean = 0.1, .deviation = 1},
                       .sigma = 0.3, .shrink = 0.5, .shrink_noise = 0.2, .seed = 9};
    at::Tensor all = start.clone(), again = start.clone();
    perturbation.function(input, all);
    at::set_num_threads(5);
    perturbation.function(input, again);
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(all, again)) << perturbation.name;
    input.indices = indices;
    at::Tensor some = start.index_select(0, indices);
    perturbation.function(input, some);
    EXPECT_TRUE(at::equal(some, all.index_select(0, indices))) << perturbation.name;
  }
}

TEST(MomentsOf, ByHand) {
  const Moments moments = MomentsOf(at::tensor(std::vector<float>{2, 4, 4, 4, 5, 5, 7, 9}));
  EXPECT_DOUBLE_EQ(moments.mean, 5);
  EXPECT_DOUBLE_EQ(moments.deviation, 2);
}

TEST(StandardDeviation, IsThatOfThePopulation) {
  const at::Tensor four = at::tensor(std::vector<float>{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(StandardDeviation(four), 2);
  EXPECT_DOUBLE_EQ(StandardDeviation(four.view({2, 4}).t()), 2);
  EXPECT_EQ(StandardDeviation(at::full({100}, 0.3f)), 0);
  EXPECT_EQ(StandardDeviation(at::empty({0})), 0);
  at::manual_seed(1);
  // A mean far from 0 costs no digits.
  const at::Tensor shifted = at::randn({kSize}, at::kFloat) + 1000;
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const at::Tensor weight = (dtype == at::kFloat ? shifted : shifted - 1000).to(dtype);
    EXPECT_NEAR(StandardDeviation(weight),
                weight.to(at::kDouble).std(/*unbiased=*/false).item<double>(), 1e-9);
  }
}

}  // namespace
}  // namespace grin
