#include "grin/locate/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grin/base/error.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor Score(std::string_view method, ScoreInput input) {
  return FindScoreMethod(method).function(input);
}

class ScoreTest : public ::testing::Test {
 protected:
  ScoreTest() {
    at::manual_seed(1);
    input_ = {"model.layers.0.w",
              OnTestDevice(at::randn({300, 257})),
              OnTestDevice(at::randn({300, 257})),
              OnTestDevice(at::randn({300, 257})),
              0.3f,
              7};
  }
  ScoreInput input_;
};

TEST_F(ScoreTest, GrinIsTheRatioOfMagnitudes) {
  const at::Tensor expected =
      input_.forget_gradient.abs() / (input_.retain_gradient.abs() + input_.epsilon);
  const void* memory = input_.forget_gradient.const_data_ptr();
  const at::Tensor scores = Score("grin", input_);
  EXPECT_TRUE(at::equal(scores, expected));
  EXPECT_EQ(scores.const_data_ptr(), memory) << "scores need no memory of their own";
}

TEST_F(ScoreTest, GrinWithoutEpsilonHasNoNaN) {
  input_.epsilon = 0;
  input_.forget_gradient = OnTestDevice(at::tensor(std::vector<float>{0, 2, -3}));
  input_.retain_gradient = OnTestDevice(at::tensor(std::vector<float>{0, 0, 2}));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(at::equal(Score("grin", input_).cpu(), at::tensor({0.0f, infinity, 1.5f})));
}

TEST_F(ScoreTest, SalunIsTheForgetGradientsMagnitude) {
  const at::Tensor expected = input_.forget_gradient.abs();
  EXPECT_TRUE(at::equal(Score("salun", input_), expected));
}

at::Tensor HostScore(std::string_view method, const ScoreInput& input) {
  return Score(method, input).cpu();
}

// theta 2, -1, 3; g_f 1, 4, -2; g_r .5, 0, -1.
ScoreInput ByHandInput(const char* statistic) {
  return {.name = "w",
          .weight = OnTestDevice(at::tensor({2.0f, -1.0f, 3.0f})),
          .forget_gradient = OnTestDevice(at::tensor({1.0f, 4.0f, -2.0f})),
          .retain_gradient = OnTestDevice(at::tensor({0.5f, 0.0f, -1.0f})),
          .statistic = ParseStatistic(statistic)};
}

TEST(ScoreByHand, WagleAndSnip) {
  ScoreInput input = ByHandInput("mean");
  input.mu = 0.25;  // (2 - 2) 1, (-1 - 0) 4, (3 + 4) -2
  EXPECT_TRUE(at::equal(HostScore("wagle", input), at::tensor({0.0f, 4.0f, 14.0f})));
  input = ByHandInput("mean");
  EXPECT_TRUE(at::equal(HostScore("snip", input), at::tensor({2.0f, 4.0f, 6.0f})));
  input = ByHandInput("mean");
  input.weight = input.weight.to(at::kBFloat16);
  EXPECT_TRUE(at::equal(HostScore("snip", input), at::tensor({2.0f, 4.0f, 6.0f})));
}

TEST(ScoreByHand, SsdAndPerta) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(at::equal(HostScore("ssd", ByHandInput("rms")), at::tensor({4.0f, infinity, 4.0f})));
  EXPECT_TRUE(at::equal(HostScore("ssd", ByHandInput("abs")), at::tensor({2.0f, infinity, 2.0f})));
  ScoreInput input = ByHandInput("rms");
  input.retain_weight = 4;  // 1 / (1 + 4 .25), 16 / 16, 4 / (4 + 4)
  EXPECT_TRUE(at::equal(HostScore("perta", input), at::tensor({0.5f, 1.0f, 0.5f})));
  EXPECT_TRUE(at::allclose(HostScore("perta", ByHandInput("abs")), at::tensor({2.0f / 3, 1.0f, 2.0f / 3})));
}

// Gradients whose squares fp32 cannot hold, and none at all.
TEST(ScoreByHand, SmallImportancesAreComparedAllTheSame) {
  for (const auto& [method, expected] :
       {std::pair("ssd", at::tensor({4.0f, 0.0f, 0.0f})),
        std::pair("perta", at::tensor({0.8f, 0.0f, 0.0f}))}) {
    const ScoreInput input{.name = "w",
                           .weight = OnTestDevice(at::ones({3})),
                           .forget_gradient = OnTestDevice(at::tensor({2e-25f, 0.0f, 0.0f})),
                           .retain_gradient = OnTestDevice(at::tensor({1e-25f, 1e-25f, 0.0f})),
                           .statistic = Statistic::kRms};
    EXPECT_TRUE(at::allclose(HostScore(method, input), expected, 1e-6)) << method;
  }
  for (const char* method : {"ssd", "perta", "wagle", "snip"}) {  // what is wrong is not hidden
    const float nan = std::nanf("");
    const ScoreInput input{.name = "w",
                           .weight = OnTestDevice(at::ones({1})),
                           .forget_gradient = OnTestDevice(at::tensor({nan})),
                           .retain_gradient = OnTestDevice(at::tensor({1.0f})),
                           .statistic = Statistic::kRms};
    EXPECT_TRUE(std::isnan(HostScore(method, input).item<float>())) << method;
  }
}

TEST_F(ScoreTest, MagnitudeLeavesTheWeightAlone) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    input_.weight = OnTestDevice(at::randn({5, 6}).to(dtype));
    const at::Tensor before = input_.weight.clone();
    EXPECT_TRUE(at::equal(Score("magnitude", input_), before.to(at::kFloat).abs()));
    EXPECT_TRUE(at::equal(input_.weight, before));
  }
}

TEST_F(ScoreTest, RandomIsKeyedBySeedNameAndPosition) {
  const at::Tensor scores = Score("random", input_);
  EXPECT_TRUE(at::equal(scores, Score("random", input_)));
  EXPECT_NEAR(scores.mean().item<float>(), 0.5, 0.01);
  EXPECT_GE(scores.min().item<float>(), 0);
  EXPECT_LE(scores.max().item<float>(), 1);

  ScoreInput row = input_;  // the same positions in a smaller tensor
  row.weight = input_.weight[0];
  EXPECT_TRUE(at::equal(Score("random", row), scores[0]));
  ScoreInput other = input_;
  other.seed = 8;
  EXPECT_FALSE(at::equal(Score("random", other), scores));
  other = input_;
  other.name = "model.layers.1.w";
  EXPECT_FALSE(at::equal(Score("random", other), scores));
}

TEST_F(ScoreTest, AllIsConstant) {
  EXPECT_TRUE(at::equal(Score("all", input_).cpu(), at::ones({300, 257})));
}

TEST_F(ScoreTest, MethodsNeedNoMoreThanTheySay) {
  for (const ScoreMethod& method : ScoreMethods()) {
    ScoreInput input = input_;
    if (!method.needs_forget) input.forget_gradient = at::Tensor();
    if (!method.needs_retain) input.retain_gradient = at::Tensor();
    const at::Tensor scores = method.function(input);
    EXPECT_EQ(scores.sizes(), input_.weight.sizes()) << method.name;
    EXPECT_EQ(scores.scalar_type(), at::kFloat) << method.name;
    EXPECT_TRUE(scores.is_contiguous()) << method.name;
  }
}

TEST(FindScoreMethod, NamesTheNearest) {
  EXPECT_THAT([] { FindScoreMethod("grn"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("did you mean grin?"), HasSubstr("salun"))));
}

TEST(Statistic, IsParsed) {
  EXPECT_EQ(ParseStatistic("mean"), Statistic::kMean);
  EXPECT_EQ(ParseStatistic("abs"), Statistic::kAbs);
  EXPECT_EQ(ParseStatistic("rms"), Statistic::kRms);
  EXPECT_THAT([] { ParseStatistic("sum"); }, ThrowsMessage<Error>(HasSubstr("mean, abs, rms")));
}

TEST(Epsilon, IsParsed) {
  EXPECT_EQ(Epsilon::Parse("50%").kind, Epsilon::Kind::kPercentile);
  EXPECT_EQ(Epsilon::Parse("12.5%").value, 12.5);
  EXPECT_EQ(Epsilon::Parse("mean").kind, Epsilon::Kind::kMean);
  EXPECT_EQ(Epsilon::Parse("1e-8").kind, Epsilon::Kind::kAbsolute);
  EXPECT_EQ(Epsilon::Parse("1e-8").value, 1e-8);
  EXPECT_EQ(Epsilon::Parse("0").value, 0);
  for (const char* text : {"", "%", "101%", "-1", "-1%", "nan", "inf", "median", "1e-8x", "5 %"}) {
    EXPECT_THAT([&] { Epsilon::Parse(text); }, ThrowsMessage<Error>(HasSubstr("epsilon")));
  }
}

TEST(Epsilon, IsResolvedOverAllScoredWeights) {
  const std::vector<ScoreTensor> gradients = {
      {"b", OnTestDevice(at::tensor({-4.0f, 1.0f, 0.0f}))},
      {"a", OnTestDevice(at::tensor({2.0f, -3.0f}))}};
  EXPECT_EQ(ResolveEpsilon(Epsilon::Parse("50%"), gradients).value, 2);
  EXPECT_EQ(ResolveEpsilon(Epsilon::Parse("mean"), gradients).value, 2);
  EXPECT_EQ(ResolveEpsilon(Epsilon::Parse("0.25"), gradients).value, 0.25f);
  EXPECT_DOUBLE_EQ(ResolveEpsilon(Epsilon::Parse("2"), gradients).share_below, 0.4);
  EXPECT_EQ(ResolveEpsilon(Epsilon::Parse("0"), gradients).share_below, 0);
  EXPECT_THAT([] { ResolveEpsilon(Epsilon::Parse("mean"), {}); },
              ThrowsMessage<Error>(HasSubstr("no weights are in scope")));
}

}  // namespace
}  // namespace grin
