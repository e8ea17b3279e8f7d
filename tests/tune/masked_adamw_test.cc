#include "grin/tune/masked_adamw.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"

namespace grin {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor Floats(const Json& list) { return at::tensor(list.get<std::vector<float>>()); }

// About `share` of the flat positions of a tensor, ascending.
at::Tensor RandomIndices(int64_t size, double share) {
  return (at::rand({size}) < share).nonzero().flatten();
}

// Every run of the golden file, on a selection of its entries and on all of them.
TEST(AdamW, EqualsPyTorch) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/adamw.json"));
  for (const Json& run : golden["runs"]) {
    const AdamWSettings settings{run["beta1"], run["beta2"], run["eps"], run["weight_decay"]};
    const at::Tensor start = Floats(run["weight"]);
    const at::Tensor selected = at::tensor(run["selected"].get<std::vector<int64_t>>());
    for (const at::Tensor& indices : {selected, at::Tensor()}) {
      const at::Tensor entries = indices.defined() ? indices : at::arange(start.numel(), at::kLong);
      // The start, with the entries as PyTorch has them in a list.
      const auto expected = [&](const Json& list) {
        return start.index_copy(0, entries, Floats(list).index_select(0, entries));
      };
      at::Tensor weight = start.clone();
      MaskedParameter parameter = MakeMaskedParameter("w", weight, indices);
      int64_t number = 0;
      for (const Json& step : run["steps"]) {
        parameter.gradient.zero_();
        GatherGradient(Floats(step["gradient"]), 1, parameter);
        AdamWStep(parameter, settings, step["lr"], ++number);
        WriteBack(parameter, weight);
        EXPECT_TRUE(at::allclose(weight, expected(step["weight"]), 1e-6, 1e-7))
            << run["name"] << ", step " << number;
      }
      at::Tensor rounded = start.to(at::kBFloat16);
      WriteBack(parameter, rounded);
      const at::Tensor values = expected(run["bfloat16_weight"]).to(at::kBFloat16);
      // One unit in the last place, where the values before rounding differ in theirs.
      EXPECT_TRUE(at::allclose(rounded.to(at::kFloat), values.to(at::kFloat), 0.008, 0));
      EXPECT_LE(at::ne(rounded, values).sum().item<int64_t>(), 1);
    }
  }
}

class MaskedAdamW : public ::testing::TestWithParam<at::ScalarType> {};

// The selected entries move exactly as if all were; not a bit of the others changes.
TEST_P(MaskedAdamW, MovesTheSelectedEntriesOnly) {
  at::manual_seed(1);
  at::Tensor weight = (at::randn({300, 401}) * 0.1).to(GetParam());
  const at::Tensor before = weight.clone();
  const at::Tensor indices = RandomIndices(weight.numel(), 0.05);
  for (const auto index_type : {at::kLong, at::kInt}) {
    weight.copy_(before);
    MaskedParameter parameter = MakeMaskedParameter("w", weight, indices.to(index_type));
    MaskedParameter dense = MakeMaskedParameter("w", before, {});
    for (int64_t step = 1; step <= 5; ++step) {
      const at::Tensor gradient = at::randn({300, 401});
      for (MaskedParameter* p : {&parameter, &dense}) {
        p->gradient.zero_();
        GatherGradient(gradient, 0.25, *p);
        GatherGradient(gradient, 0.75, *p);
        AdamWStep(*p, {}, 1e-2, step);
      }
      WriteBack(parameter, weight);
    }
    EXPECT_TRUE(at::equal(parameter.master, dense.master.index_select(0, indices)));
    EXPECT_TRUE(
        at::equal(weight.flatten().index_select(0, indices), parameter.master.to(GetParam())));
    const at::Tensor rest = weight.flatten().index_fill(0, indices, 0);
    EXPECT_TRUE(at::equal(rest, before.flatten().index_fill(0, indices, 0)));
    EXPECT_FALSE(at::equal(weight, before));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MaskedAdamW,
                         ::testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

// bf16 would swallow each of these steps; their sum must not be lost.
TEST(AdamW, AccumulatesStepsBelowTheWeightsPrecision) {
  at::Tensor weight = at::ones({8}, at::kBFloat16);
  MaskedParameter parameter = MakeMaskedParameter("w", weight, {});
  AdamWSettings settings;
  settings.weight_decay = 0;
  for (int64_t step = 1; step <= 100; ++step) {
    parameter.gradient.fill_(1);
    AdamWStep(parameter, settings, 1e-4, step);
    WriteBack(parameter, weight);
  }
  EXPECT_NEAR(weight[0].item<float>(), 0.99, 0.004);
}

TEST(AdamW, DoesNotDependOnTheNumberOfThreads) {
  at::manual_seed(2);
  const at::Tensor weight = at::randn({200000});
  const at::Tensor indices = RandomIndices(weight.numel(), 0.5);
  const at::Tensor gradient = at::randn({200000});
  const int threads = at::get_num_threads();
  at::Tensor results[2];
  for (const int i : {0, 1}) {
    at::set_num_threads(i == 0 ? 1 : 7);
    MaskedParameter parameter = MakeMaskedParameter("w", weight, indices);
    GatherGradient(gradient, 1, parameter);
    AdamWStep(parameter, {}, 1e-3, 1);
    results[i] = weight.clone();
    WriteBack(parameter, results[i]);
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST(GatherGradient, TakesAnyGradientType) {
  const at::Tensor indices = at::tensor(std::vector<int64_t>{1, 2, 5});
  MaskedParameter parameter = MakeMaskedParameter("w", at::zeros({2, 3}), indices);
  GatherGradient(at::arange(6, at::kFloat).view({2, 3}), 0.5, parameter);
  GatherGradient(at::ones({2, 3}, at::kBFloat16), 3, parameter);
  EXPECT_TRUE(at::equal(parameter.gradient, at::tensor(std::vector<float>{3.5, 4, 5.5})));
}

TEST(MakeMaskedParameter, OfNothingIsEmpty) {
  const at::Tensor none = at::empty({0}, at::kLong);
  at::Tensor weight = at::ones({4});
  MaskedParameter parameter = MakeMaskedParameter("w", weight, none);
  GatherGradient(at::ones({4}), 1, parameter);
  AdamWStep(parameter, {}, 1, 1);
  WriteBack(parameter, weight);
  EXPECT_TRUE(at::equal(weight, at::ones({4})));
}

TEST(MakeMaskedParameter, RefusesPositionsOutsideTheTensor) {
  const at::Tensor indices = at::tensor(std::vector<int64_t>{1, 4});
  EXPECT_THAT(
      [&] {
        MakeMaskedParameter("layer.w", at::zeros({2, 2}), indices);
      },
      ThrowsMessage<Error>(HasSubstr("'layer.w' selects up to position 4")));
  EXPECT_THAT(
      [&] {
        MakeMaskedParameter("w", at::zeros({3, 2}).t(), indices);
      },
      ThrowsMessage<Error>(HasSubstr("not contiguous")));
}

}  // namespace
}  // namespace grin
