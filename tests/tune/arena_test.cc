// The arena: AdamW on it equals PyTorch's, selected entries move as if all did, nothing else does.

#include "grin/tune/arena.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/tune/optimiser.h"
#include "tests/standin/test_device.h"
#include "tests/tune/one_weight.h"

namespace grin {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor Floats(const Json& list) { return OnTestDevice(at::tensor(list.get<std::vector<float>>())); }

// About `share` of the flat positions of a tensor, ascending.
at::Tensor RandomIndices(int64_t size, double share) {
  return OnTestDevice((at::rand({size}) < share).nonzero().flatten());
}

// Every run of the golden file, on a selection of its entries and on all of them.
TEST(AdamW, EqualsPyTorch) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/adamw.json"));
  for (const Json& run : golden["runs"]) {
    const AdamWSettings settings{run["beta1"], run["beta2"], run["eps"], run["weight_decay"]};
    const at::Tensor start = Floats(run["weight"]);
    const at::Tensor selected = OnTestDevice(at::tensor(run["selected"].get<std::vector<int64_t>>()));
    for (const at::Tensor& indices : {selected, at::Tensor()}) {
      const at::Tensor entries = indices.defined() ? indices : at::arange(start.numel(), TestOptions(at::kLong));
      // The start, with the entries as PyTorch has them in a list.
      const auto expected = [&](const Json& list) {
        return start.index_copy(0, entries, Floats(list).index_select(0, entries));
      };
      at::Tensor weight = start.clone();
      Arena arena = ArenaOf(weight, indices);
      MaskedParameter& parameter = arena.parameters[0];
      int64_t number = 0;
      for (const Json& step : run["steps"]) {
        parameter.gradient.zero_();
        GatherGradient(Floats(step["gradient"]), 1, parameter);
        AdamWStep(arena, settings, step["lr"], ++number);
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
  at::Tensor weight = (DrawNormal({300, 401}) * 0.1).to(GetParam());
  const at::Tensor before = weight.clone();
  const at::Tensor indices = RandomIndices(weight.numel(), 0.05);
  for (const auto index_type : {at::kLong, at::kInt}) {
    weight.copy_(before);
    Arena arena = ArenaOf(weight, indices, index_type), whole = ArenaOf(before, {});
    MaskedParameter &parameter = arena.parameters[0], &dense = whole.parameters[0];
    for (int64_t step = 1; step <= 5; ++step) {
      const at::Tensor gradient = DrawNormal({300, 401});
      for (Arena* a : {&arena, &whole}) {
        a->gradient.zero_();
        GatherGradient(gradient, 0.25, a->parameters[0]);
        GatherGradient(gradient, 0.75, a->parameters[0]);
        AdamWStep(*a, {}, 1e-2, step);
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
  at::Tensor weight = at::ones({8}, TestOptions(at::kBFloat16));
  Arena arena = ArenaOf(weight, {});
  MaskedParameter& parameter = arena.parameters[0];
  AdamWSettings settings;
  settings.weight_decay = 0;
  for (int64_t step = 1; step <= 100; ++step) {
    parameter.gradient.fill_(1);
    AdamWStep(arena, settings, 1e-4, step);
    WriteBack(parameter, weight);
  }
  EXPECT_NEAR(weight[0].item<float>(), 0.99, 0.004);
}

TEST(AdamW, DoesNotDependOnTheNumberOfThreads) {
  at::manual_seed(2);
  const at::Tensor weight = DrawNormal({200000});
  const at::Tensor indices = RandomIndices(weight.numel(), 0.5);
  const at::Tensor gradient = DrawNormal({200000});
  const int threads = at::get_num_threads();
  at::Tensor results[2];
  for (const int i : {0, 1}) {
    at::set_num_threads(i == 0 ? 1 : 7);
    Arena arena = ArenaOf(weight, indices);
    MaskedParameter& parameter = arena.parameters[0];
    GatherGradient(gradient, 1, parameter);
    AdamWStep(arena, {}, 1e-3, 1);
    results[i] = weight.clone();
    WriteBack(parameter, results[i]);
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST(GatherGradient, TakesAnyGradientType) {
  const at::Tensor indices = OnTestDevice(at::tensor(std::vector<int64_t>{1, 2, 5}));
  Arena arena = ArenaOf(at::zeros({2, 3}, TestOptions()), indices);
  MaskedParameter& parameter = arena.parameters[0];
  GatherGradient(at::arange(6, TestOptions()).view({2, 3}), 0.5, parameter);
  GatherGradient(at::ones({2, 3}, TestOptions(at::kBFloat16)), 3, parameter);
  EXPECT_TRUE(at::equal(parameter.gradient.cpu(), at::tensor(std::vector<float>{3.5, 4, 5.5})));
}

TEST(Arena, OfNothingIsEmpty) {
  at::Tensor weight = at::ones({4}, TestOptions());
  Arena arena = ArenaOf(weight, at::empty({0}, TestOptions(at::kLong)));
  MaskedParameter& parameter = arena.parameters[0];
  GatherGradient(at::ones({4}, TestOptions()), 1, parameter);
  AdamWStep(arena, {}, 1, 1);
  WriteBack(parameter, weight);
  EXPECT_TRUE(at::equal(weight, at::ones({4}, TestOptions())));
  EXPECT_EQ(GradientNorm(arena.gradient).item<double>(), 0);
}

TEST(Arena, RefusesPositionsOutsideTheTensor) {
  if (!TestDevice().is_cpu()) GTEST_SKIP() << "a device checks its indices itself";
  const at::Tensor indices = OnTestDevice(at::tensor(std::vector<int64_t>{1, 4}));
  EXPECT_THAT([&] { ArenaOf(at::zeros({2, 2}, TestOptions()), indices); },
              ThrowsMessage<Error>(HasSubstr("'weight' selects up to position 4")));
  EXPECT_THAT([&] { ArenaOf(at::zeros({3, 2}, TestOptions()).t(), indices); },
              ThrowsMessage<Error>(HasSubstr("not contiguous")));
}

// Every part is a view of the flat tensors, in order; weights that are whole keep no positions.
TEST(Arena, LaysWeightsEndToEnd) {
  Arena arena({{"a", 10, 3}, {"b", 4, 4}, {"c", 6, 2}}, TestDevice());
  ASSERT_EQ(arena.parameters.size(), 3u);
  EXPECT_EQ(arena.master.numel(), 9);
  EXPECT_EQ(arena.indices.numel(), 5);
  EXPECT_EQ(arena.indices.scalar_type(), at::kInt);
  EXPECT_FALSE(arena.parameters[1].indices.defined());
  for (size_t i = 0; i < 3; ++i) arena.parameters[i].master.fill_(static_cast<double>(i));
  arena.parameters[2].indices.fill_(7);
  EXPECT_TRUE(at::equal(arena.master.cpu(), at::tensor(std::vector<float>{0, 0, 0, 1, 1, 1, 1, 2, 2})));
  EXPECT_TRUE(at::equal(arena.indices.slice(0, 3).cpu(), at::full({2}, 7, at::kInt)));
  EXPECT_EQ(Arena({{"large", int64_t{1} << 31, 1}}, TestDevice()).indices.scalar_type(), at::kLong);
}

// What several weights in one arena become is what each becomes alone.
TEST(Arena, WeightsMoveAsTheyWouldAlone) {
  at::manual_seed(3);
  std::vector<Arena> alone;
  std::vector<Arena::Part> parts;
  std::vector<at::Tensor> weights, selections, gradients;
  for (const int64_t size : {70000, 5, 40000}) {
    weights.push_back(DrawNormal({size}));
    selections.push_back(RandomIndices(size, 0.6));
    gradients.push_back(DrawNormal({size}));
    alone.push_back(ArenaOf(weights.back(), selections.back()));
    parts.push_back({"weight", size, selections.back().numel()});
  }
  Arena together(parts, TestDevice());
  for (size_t i = 0; i < weights.size(); ++i) {
    together.parameters[i].indices.copy_(selections[i]);
    ReadMasters(together.parameters[i], weights[i]);
    GatherGradient(gradients[i], 1, together.parameters[i]);
    GatherGradient(gradients[i], 1, alone[i].parameters[0]);
    AdamWStep(alone[i], {}, 1e-2, 1);
  }
  AdamWStep(together, {}, 1e-2, 1);
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_TRUE(at::equal(together.parameters[i].master, alone[i].master));
  }
}

// The loops for the CPU and the expressions for other devices.
TEST(Arena, PlainTwinsAgree) {
  at::manual_seed(4);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor weight = DrawNormal({50, 30}).to(type);
    for (const at::Tensor& indices : {RandomIndices(1500, 0.3), at::Tensor()}) {
      Arena loops = ArenaOf(weight, indices), plain = ArenaOf(weight, indices);
      for (int64_t step = 1; step <= 3; ++step) {
        const at::Tensor gradient = DrawNormal({50, 30}).to(type);
        const at::Tensor tokens = OnTestDevice(at::randint(50, {40}, at::kLong)), rows = DrawNormal({40, 30}).to(type);
        loops.gradient.zero_();
        plain.gradient.zero_();
        GatherGradient(gradient, 0.5, loops.parameters[0]);
        plain::GatherGradient(gradient, 0.5, plain.parameters[0]);
        GatherRows(tokens, rows, loops.parameters[0]);
        plain::GatherRows(tokens, rows, plain.parameters[0]);
        EXPECT_TRUE(at::allclose(loops.gradient, plain.gradient, 1e-6, 1e-6));
        EXPECT_NEAR(GradientNorm(loops.gradient).item<double>(),
                    plain::GradientNorm(plain.gradient).item<double>(), 1e-5);
        AdamWStep(loops, {}, 1e-2, step);
        plain::AdamWStep(plain, {}, 1e-2, step);
        EXPECT_TRUE(at::allclose(loops.master, plain.master, 1e-5, 1e-6));
      }
      plain.master.copy_(loops.master);
      at::Tensor by_loops = weight.clone(), by_plain = weight.clone();
      WriteBack(loops.parameters[0], by_loops);
      plain::WriteBack(plain.parameters[0], by_plain);
      EXPECT_TRUE(at::equal(by_loops, by_plain));
      EXPECT_FALSE(at::equal(by_loops, weight));
    }
  }
}

// The rows of a batch alone give the same bits as the whole dense gradient.
TEST(GatherRows, EqualsTheDensePath) {
  at::manual_seed(5);
  constexpr int64_t kVocabulary = 300, kWidth = 17;
  for (const double share : {0.0, 0.05, 0.7}) {
    const at::Tensor indices = RandomIndices(kVocabulary * kWidth, share);
    const at::Tensor weight = at::zeros({kVocabulary, kWidth}, TestOptions());
    Arena rows_only = ArenaOf(weight, indices), dense = ArenaOf(weight, indices);
    for (const int64_t count : {1, 5, 200}) {  // with repeated tokens
      const at::Tensor tokens = OnTestDevice(at::randint(kVocabulary, {count}, at::kLong));
      const at::Tensor rows = DrawNormal({count, kWidth});
      GatherRows(tokens, rows, rows_only.parameters[0]);
      GatherGradient(at::zeros({kVocabulary, kWidth}, TestOptions()).index_add_(0, tokens, rows), 1,
                     dense.parameters[0]);
    }
    if (TestDevice().is_cuda()) {  // whose index_add_ adds in no fixed order
      EXPECT_TRUE(at::allclose(rows_only.gradient, dense.gradient, 1e-5, 1e-6)) << share;
    } else {
      EXPECT_TRUE(at::equal(rows_only.gradient, dense.gradient)) << share;
    }
  }
}

}  // namespace
}  // namespace grin
