// The influence pass against plain PyTorch (tests/data/locate).

#include "grin/locate/gradient_pass.h"

#include <gmock/gmock.h>

#include "tests/locate/influence_golden.h"
#include "tests/model/fingerprint.h"

namespace grin {
namespace {

class GradientPass : public ::testing::TestWithParam<const char*> {
 protected:
  const InfluenceGolden golden_{GetParam()};
  const Model model_ = LoadTiny(GetParam());

  std::vector<ScoreTensor> Run(const std::vector<Sequence>& sequences, Statistic statistic,
                               int64_t pass_tokens = 1024) const {
    return AccumulateGradients(model_, Pointers(sequences), golden_.scored,
                               {.statistic = statistic, .pass_tokens = pass_tokens});
  }
};

INSTANTIATE_TEST_SUITE_P(Tiny, GradientPass, ::testing::ValuesIn(kInfluenceModels),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(GradientPass, StatisticsOfEveryWeight) {
  for (const auto& [set, sequences] :
       {std::pair("forget", &golden_.forget), std::pair("retain", &golden_.retain)}) {
    for (const char* statistic : {"mean", "abs", "rms"}) {
      const auto sums = Run(*sequences, ParseStatistic(statistic));
      ASSERT_EQ(sums.size(), golden_.scored.size());
      for (const ScoreTensor& sum : sums) {
        ExpectFingerprint(sum.values, golden_.json["gradients"][set][statistic][sum.name], 1e-5,
                          std::string(set) + " " + statistic + " " + sum.name);
      }
    }
  }
}

TEST_P(GradientPass, DoesNotDependOnThePasses) {
  for (const Statistic statistic : {Statistic::kMean, Statistic::kAbs, Statistic::kRms}) {
    const auto whole = Run(golden_.forget, statistic, 1 << 20);
    const auto parts = Run(golden_.forget, statistic, 7);
    for (size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(at::allclose(whole[i].values, parts[i].values, 1e-4, 1e-6)) << whole[i].name;
    }
  }
}

TEST_P(GradientPass, LeavesTheModelAlone) {
  const auto before = model_.weights->tensors();
  std::vector<at::Tensor> copies;
  for (const auto& [name, tensor] : before) copies.push_back(tensor.clone());
  Run(golden_.forget, Statistic::kMean);
  size_t i = 0;
  for (const auto& [name, tensor] : model_.weights->tensors()) {
    EXPECT_TRUE(at::equal(tensor, copies[i++])) << name;
  }
}

TEST_P(GradientPass, EpsilonIsThatOfTheRetainGradients) {
  for (const auto& [statistic, values] : golden_.json["epsilon"].items()) {
    const auto retain = Run(golden_.retain, ParseStatistic(statistic));
    for (const auto& [text, value] : values.items()) {
      const double expected = value;
      EXPECT_NEAR(ResolveEpsilon(Epsilon::Parse(text), retain).value, expected, 1e-5 * expected)
          << statistic << " " << text;
    }
    if (statistic == "mean") {
      EXPECT_NEAR(ResolveEpsilon(Epsilon::Parse("50%"), retain).share_below,
                  golden_.json["below"].get<double>(), 1e-12);
    }
  }
}

// A sequence twice in the set counts twice; another order changes nothing.
TEST_P(GradientPass, IsAMeanOverSequences) {
  std::vector<Sequence> twice = golden_.forget, reversed = golden_.forget;
  twice.insert(twice.end(), golden_.forget.begin(), golden_.forget.end());
  std::ranges::reverse(reversed);
  for (const Statistic statistic : {Statistic::kMean, Statistic::kAbs, Statistic::kRms}) {
    const auto once = Run(golden_.forget, statistic);
    for (const auto& other : {Run(twice, statistic), Run(reversed, statistic)}) {
      for (size_t i = 0; i < once.size(); ++i) {
        EXPECT_TRUE(at::allclose(once[i].values, other[i].values, 1e-4, 1e-6)) << once[i].name;
      }
    }
  }
}

// Of one sequence every statistic is the size of its gradient, in whatever parts that comes: a tied
// head's from the embedding and from the head.
TEST(GradientPass, TakesTheStatisticOfTheWholeGradient) {
  for (const char* name : {"llama_gqa_tied", "gemma2_caps", "llama_plain"}) {
    const Model model = LoadTiny(name);
    std::vector<std::string> names;
    for (const auto& [tensor, value] : model.weights->tensors()) names.push_back(tensor);
    const std::vector<Sequence> one = {LabelledSequence({3, 7, 3, 9, 11, 7, 5})};
    const auto run = [&](Statistic statistic) {
      return AccumulateGradients(model, Pointers(one), names, {.statistic = statistic});
    };
    const auto signed_mean = run(Statistic::kMean);
    for (const Statistic statistic : {Statistic::kAbs, Statistic::kRms}) {
      const auto sizes = run(statistic);
      for (size_t i = 0; i < sizes.size(); ++i) {
        EXPECT_TRUE(at::allclose(sizes[i].values, signed_mean[i].values.abs(), 1e-4, 1e-7))
            << name << " " << sizes[i].name;
      }
    }
  }
}

// Block by block, with the streams here or there: the same sums to the bit, of every weight of every
// architecture; and each weight is given once.
TEST(GradientPass, IsTheSameToTheBitByBlocks) {
  for (const char* name : kTinyModels) {
    if (LeftOutOnDevice(name)) continue;
    const Model model = LoadTiny(name);
    std::vector<std::string> all;
    for (const auto& [tensor, value] : model.weights->tensors()) all.push_back(tensor);
    const std::vector<Sequence> sequences = {LabelledSequence({3, 7, 3, 9, 11, 7, 5}),
                                             LabelledSequence({8, 2, 6}),
                                             LabelledSequence({4, 9, 1, 10, 2})};
    const auto last_block = model.BlockMatrices(model.config.layers - 1);
    for (const auto& names : {all, model.BlockMatrices(), last_block}) {
      for (const Statistic statistic : {Statistic::kMean, Statistic::kRms}) {
        GradientPassOptions options{.statistic = statistic, .pass_tokens = 8};
        const auto whole = AccumulateGradients(model, Pointers(sequences), names, options);
        for (const int64_t blocks : {1, 2}) {
          options.blocks_at_a_time = blocks;
          options.streams_on_host = blocks == 1;
          std::vector<int> given(names.size());
          VisitGradients(model, Pointers(sequences), names, options,
                         [&](size_t i, const at::Tensor& values) {
                           ++given[i];
                           EXPECT_TRUE(at::equal(values, whole[i].values)) << name << " " << names[i];
                         });
          EXPECT_EQ(given, std::vector<int>(names.size(), 1)) << name;
        }
      }
    }
  }
}

// Blocks below the lowest whose gradient is wanted do not go back: no more operators run than for that
// block alone.
TEST(GradientPass, StopsBelowTheLowestBlockThatIsWanted) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "the stand-in device counts operators";
  const Model model = LoadTiny("llama_gqa_tied");
  const std::vector<Sequence> one = {LabelledSequence({3, 7, 3, 9, 11, 7, 5})};
  const auto operators = [&](int64_t block) {
    const int64_t before = CountsOfStandIn().operators;
    AccumulateGradients(model, Pointers(one), {model.BlockMatrices(block).back()},
                        {.blocks_at_a_time = 1});
    return CountsOfStandIn().operators - before;
  };
  EXPECT_LT(operators(model.config.layers - 1), operators(0) - 20);
}

}  // namespace
}  // namespace grin
