#include "grin/perturb/perturb.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  FindPerturbation("none").function("w", {}, values, 1, 1);
  EXPECT_TRUE(at::equal(values, at::ones({10}, at::kFloat)));
  FindPerturbation("gaussian").function("w", {}, values, 1, 1);
  EXPECT_FALSE(at::equal(values, at::ones({10}, at::kFloat)));
  EXPECT_THAT([] { FindPerturbation("gausian"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("did you mean gaussian?"), HasSubstr("none"))));
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
